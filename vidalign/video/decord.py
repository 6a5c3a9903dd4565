"""The reader decord, for files in which it is right (see `open.trouble_for_decord`).

It only ever reads on: asked for single frames or with stride, decord seeks, which gives wrong frames in many
files. Its queues have no bound: whenever its decoder is not ready it is fed further, so that packets and then
converted frames pile up behind a slow consumer. Hence auto takes it for short videos only.
"""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Self

import decord
import numpy as np
from numpy.typing import NDArray

from vidalign.video.look import Look
from vidalign.video.pixels import scale
from vidalign.video.protocol import AS_IT_IS, TIME_NOISE, Frame, Pixels, Scaling, Shot, Wanted
from vidalign.video.pyav import PyavReader
from vidalign.video.timeline import Picture, delivered, every, last_end, shown_at

log = logging.getLogger("vidalign.video")

decord.logging.set_level(decord.logging.QUIET)

NAME = f"decord {decord.__version__}"

NO_INVENTED_FRAMES = 1e-9
"""decord's fault tolerance: it fails rather than give an earlier frame in place of one it cannot decode."""


class DecordTroubleError(Exception):
    """decord does not see the file as the look does; the message says in what."""


class _BrokeOffError(Exception):
    """Decoding failed on the way."""


class DecordReader:
    """See `VideoReader`. Raises DecordTroubleError at opening.

    Where a file is damaged decord gives up, sooner or later, as its threads happen to run. PyAV then reads on
    from there, which gives the same pixels.
    """

    def __init__(self, seen: Look, *, reason: str, threads: int = 0) -> None:
        self._seen = seen
        self._threads = threads
        self._tape: Tape | None = Tape(seen, threads)
        self._rescue = PyavReader(seen, reason="decord gave up", threads=threads)
        self.info = seen.info(NAME, reason)
        self.truncated = False
        self.decoded_until: float | None = None

    def pictures(self, wanted: Wanted) -> Iterator[Shot]:
        """See `VideoReader.pictures`."""
        start, end = -1.0, 0.0
        try:
            for shot in delivered(self._pictures(), wanted):
                yield shot
                start, end = shot.start, shot.end
        except _BrokeOffError:
            yield from self._rescued(wanted, start + TIME_NOISE, end)

    def frames(self, scaling: Scaling = AS_IT_IS) -> Iterator[Frame]:
        """See `VideoReader.frames`."""
        return every(self.pictures, scaling)

    def frames_at(self, times: Iterable[float], scaling: Scaling = AS_IT_IS) -> Iterator[Frame | None]:
        """See `VideoReader.frames_at`."""
        return shown_at(self.pictures, times, scaling)

    def close(self) -> None:
        """See `VideoReader.close`."""
        self._tape = None
        self._rescue.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rescued(self, wanted: Wanted, given: float, until: float) -> Iterator[Shot]:
        """The pictures that begin later than `given`; first what the one before shows past `until`."""
        log.warning("%s: damaged; decord gave up, PyAV reads on", self._seen.path)

        def still_wanted(start: float, end: float) -> Collection[Scaling]:
            return wanted(max(start, until), end) if end > until + TIME_NOISE else ()

        for shot in self._rescue.pictures(still_wanted):
            if shot.start > given:
                yield shot
            elif shot.end > until + TIME_NOISE:
                yield replace(shot, start=until, again=True)
        self.truncated, self.decoded_until = self._rescue.truncated, self._rescue.decoded_until

    def _pictures(self) -> Iterator[Picture]:
        self.truncated, self.decoded_until = False, None
        tape = self._tape
        if tape is None or tape.at > 0:
            tape = self._tape = Tape(self._seen, self._threads)
        for index, (start, end) in enumerate(zip(tape.starts, tape.ends, strict=True)):
            yield Picture(float(start), float(end), partial(self._pixels, tape, index))
            self.decoded_until = float(end)
        self.truncated = self._seen.falls_short(self.decoded_until or 0.0, self._seen.video_end)

    def _pixels(self, tape: Tape, index: int, scalings: Collection[Scaling]) -> Mapping[Scaling, Pixels]:
        if not scalings:
            tape.wind_to(index + 1)
            return {}
        tape.wind_to(index)
        rgb = tape.read()
        return {scaling: scale(rgb, scaling) for scaling in scalings}


class Tape:
    """decord's reader as a tape: it is wound and read forward only. Frames are converted only when read."""

    def __init__(self, seen: Look, threads: int) -> None:
        self.at = 0
        self._gave_up = False
        try:
            self._reader = decord.VideoReader(
                f"file:{seen.path}", num_threads=threads, fault_tol=NO_INVENTED_FRAMES
            )
        except (decord.DECORDError, RuntimeError, AssertionError):
            raise DecordTroubleError("it cannot open the file") from None
        self._check(seen)
        self.starts, self.ends = self._times(seen)
        keys = self._reader.get_key_indices()
        self._keys: list[int] = keys if keys and keys[0] == 0 else list(range(len(self.starts)))
        self._first: Pixels | None = None
        with suppress(_BrokeOffError):
            self._first = self._peek(seen)

    def read(self) -> Pixels:
        """The next frame in its own size, (H, W, 3)."""
        first, self._first = self._first, None
        pixels = self._next() if first is None else first
        self.at += 1
        return pixels

    def wind_to(self, index: int) -> None:
        """Decode up to frame `index` without converting; never over a key frame, where decord would seek."""
        if self._first is not None and index > 0:
            self.read()
        while self.at < index:
            place = bisect_right(self._keys, self.at)
            key = self._keys[place] if place < len(self._keys) else len(self.starts) + 1
            steps = min(index, key - 1) - self.at
            if steps < 1:
                self.read()
                continue
            with self._giving_up():
                self._reader.skip_frames(steps)
            self.at += steps

    def _next(self) -> Pixels:
        with self._giving_up():
            pixels: Pixels = self._reader.next().asnumpy()
        return pixels

    @contextmanager
    def _giving_up(self) -> Iterator[None]:
        """Once decord has failed it is not asked again."""
        if self._gave_up:
            raise _BrokeOffError
        try:
            yield
        except (decord.DECORDError, decord.DECORDLimitReachedError, StopIteration):
            self._gave_up = True
            raise _BrokeOffError from None

    def _peek(self, seen: Look) -> Pixels:
        """The first frame; some widths (48, for one) come out of decord in rows of four channels."""
        pixels = self._next()
        shape = (seen.height, seen.width, 3)
        if pixels.shape != shape:
            raise DecordTroubleError(f"its pictures have the shape {pixels.shape}, not {shape}")
        return pixels

    def _check(self, seen: Look) -> None:
        if seen.samples is not None and len(self._reader) != seen.samples:
            raise DecordTroubleError(f"it counts {len(self._reader)} pictures, the container {seen.samples}")
        if seen.rate is None or abs(self._reader.get_avg_fps() - float(seen.rate)) > 1e-3:
            raise DecordTroubleError("it takes another picture stream")

    def _times(self, seen: Look) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Starts and ends in seconds from second 0; decord gives them in single precision."""
        told = self._reader.get_frame_timestamp(list(range(len(self._reader)))).astype(np.float64)
        starts = exact(told[:, 0] - told[0, 0], seen)
        tick = float(seen.time_base)
        duration = max(round(float(told[-1, 1] - told[-1, 0]) / tick) * tick, 0.0) or seen.frame_time
        if (np.diff(starts) <= 0).any():
            raise DecordTroubleError("its frame times do not ascend")
        starts = starts + seen.video_start
        end = last_end(float(starts[-1]), duration, seen.frame_time, seen.video_end)
        return starts, np.append(starts[1:], end)


def exact(times: NDArray[np.float64], seen: Look) -> NDArray[np.float64]:
    """Undo the rounding of `times` (seconds from the first) to single precision.

    They are whole ticks of the time base, which is enough while a tick is longer than the rounding, or whole
    frames. Raises DecordTroubleError where neither tells the time.
    """
    rounding = float(np.spacing(np.float32(times[-1] + 1.0)))
    tick = float(seen.time_base)
    if tick > 2 * rounding:
        return np.asarray(np.round(times / tick) * seen.time_base.numerator / seen.time_base.denominator)
    counted = np.arange(len(times)) * seen.frame_time
    if np.abs(counted - times).max() > tick + rounding:
        raise DecordTroubleError("its frame rate varies, and decord rounds the times of a video this long")
    return np.asarray(counted, np.float64)

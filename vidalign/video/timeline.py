"""From decoded pictures with presentation times to "the frame shown at t"."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from vidalign.video.protocol import TIME_NOISE, Frame, Pixels, Scaling, Shot, Wanted

Convert = Callable[[Collection[Scaling]], Mapping[Scaling, Pixels]]
"""Converts a decoded picture to RGB and scales it, once for each scaling; for none it does neither."""

Pass = Callable[[Wanted], Iterator[Shot]]

log = logging.getLogger("vidalign.video")

DISCONTINUITY = 1.0
"""Seconds back in time from which on a jump is a new start of the clock, not a late picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture shown in [`start`, `end`) seconds; `pixels` converts it when it is wanted."""

    start: float
    end: float
    pixels: Convert


@dataclass(frozen=True, slots=True, eq=False)
class Stamped:
    """A picture as the decoder gives it: `start` in seconds from second 0 and `duration`, None if unknown."""

    start: float | None
    duration: float | None
    pixels: Convert


def lay_out(
    stamped: Iterable[Stamped], frame_time: float, claimed_end: float | None = None
) -> Iterator[Picture]:
    """Give every picture its interval: until the next one begins, the last one as `last_end` says.

    `frame_time` (seconds) stands in for unknown durations. Pictures that would be shown for no time at all,
    or only before second 0, are left out. A clock that jumps back goes on where it was.
    """
    shift = 0.0
    held: tuple[float, Stamped] | None = None
    for new in stamped:
        if held is None:
            held = (new.start or 0.0, new)
            continue
        start, old = held
        expected = start + (old.duration or frame_time)
        begin = expected if new.start is None else new.start + shift
        if begin < start - DISCONTINUITY:
            log.warning("the video's clock jumps back from %.3f s to %.3f s; it is read on", start, begin)
            shift += expected - begin
            begin = expected
        if begin < start:
            continue
        if begin > start:
            yield from _visible(Picture(start, begin, old.pixels))
        held = (begin, new)
    if held is not None:
        start, last = held
        end = last_end(start, last.duration or frame_time, frame_time, claimed_end)
        yield from _visible(Picture(start, end, last.pixels))


def last_end(start: float, duration: float, frame_time: float, claimed: float | None) -> float:
    """The end of the last picture: the container's claim if that is near, for durations are often rough."""
    end = start + duration
    if claimed is not None and claimed > start and abs(claimed - end) <= max(frame_time, duration):
        return claimed
    return end


def _visible(picture: Picture) -> Iterator[Picture]:
    if picture.end > TIME_NOISE:
        yield picture if picture.start >= 0 else replace(picture, start=0.0)


def delivered(pictures: Iterable[Picture], wanted: Wanted) -> Iterator[Shot]:
    """See `VideoReader.pictures`."""
    for picture in pictures:
        pixels = picture.pixels(wanted(picture.start, picture.end))
        yield Shot(picture.start, picture.end, pixels)


def every(look: Pass, scaling: Scaling) -> Iterator[Frame]:
    """All pictures of a pass as frames."""
    for shot in look(lambda start, end: (scaling,)):
        if not shot.again:
            yield Frame(shot.pixels[scaling], shot.start, shot.end)


def shown_at(look: Pass, times: Iterable[float], scaling: Scaling) -> Iterator[Frame | None]:
    """See `VideoReader.frames_at`."""
    coming, due = iter(times), deque[float]()
    before = float("-inf")

    def wanted(start: float, end: float) -> Collection[Scaling]:
        nonlocal before
        while not due or due[-1] < end - TIME_NOISE:
            time = next(coming, None)
            if time is None:
                break
            if time < before:
                raise ValueError(f"times must ascend, but {time} follows {before}")
            before = time
            due.append(time)
        return (scaling,) if any(start - TIME_NOISE <= t < end - TIME_NOISE for t in due) else ()

    for shot in look(wanted):
        frame = Frame(shot.pixels[scaling], shot.start, shot.end) if shot.pixels else None
        while due and due[0] < shot.end - TIME_NOISE:
            yield None if due.popleft() < shot.start - TIME_NOISE else frame
        if not due:
            return

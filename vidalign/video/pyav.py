"""The reader that is right everywhere: PyAV, decoding in order, by presentation time."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Self

import av
from av.codec.context import ThreadType
from av.container import InputContainer
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidalign.errors import VideoError
from vidalign.video.decoding import Decoding
from vidalign.video.look import Look, opened
from vidalign.video.pixels import RgbConverter, scale
from vidalign.video.protocol import AS_IT_IS, Frame, Pixels, Scaling, Shot, Wanted
from vidalign.video.timeline import Picture, Stamped, delivered, every, lay_out, shown_at

log = logging.getLogger("vidalign.video")

NAME = f"pyav {av.__version__}"


class PyavReader:
    """See `VideoReader`. Opens the file anew for every pass; raises VideoError."""

    def __init__(self, seen: Look, *, reason: str, threads: int = 0) -> None:
        self._seen = seen
        self._threads = threads
        self._open: list[InputContainer] = []
        self.info = seen.info(NAME, reason)
        self.truncated = False
        self.decoded_until: float | None = None

    def pictures(self, wanted: Wanted) -> Iterator[Shot]:
        """See `VideoReader.pictures`."""
        return delivered(self._pictures(), wanted)

    def frames(self, scaling: Scaling = AS_IT_IS) -> Iterator[Frame]:
        """See `VideoReader.frames`."""
        return every(self.pictures, scaling)

    def frames_at(self, times: Iterable[float], scaling: Scaling = AS_IT_IS) -> Iterator[Frame | None]:
        """See `VideoReader.frames_at`."""
        return shown_at(self.pictures, times, scaling)

    def close(self) -> None:
        """See `VideoReader.close`."""
        while self._open:
            self._open.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _pictures(self) -> Iterator[Picture]:
        seen = self._seen
        self.truncated, self.decoded_until = False, None
        with self._container() as container:
            stream = container.streams[seen.stream]
            if not isinstance(stream, VideoStream):
                raise VideoError(f"{seen.path} changed while it was read")
            stream.thread_type = ThreadType.AUTO
            stream.thread_count = self._threads
            decoding = Decoding(container, stream, self._witnesses(container))
            for picture in lay_out(self._stamped(decoding), seen.frame_time, seen.video_end):
                self.decoded_until = picture.end
                yield picture
            self._judge(decoding)

    @contextmanager
    def _container(self) -> Iterator[InputContainer]:
        with opened(self._seen.path) as container:
            self._open.append(container)
            try:
                yield container
            finally:
                if container in self._open:
                    self._open.remove(container)

    def _witnesses(self, container: InputContainer) -> tuple[Stream, ...]:
        """Streams whose packets show that the file is whole, where the picture's own end is not claimed."""
        if self._seen.video_end is not None:
            return ()
        kinds = ("audio", "subtitle", "video")
        return tuple(s for s in container.streams if s.index != self._seen.stream and s.type in kinds)

    def _stamped(self, decoding: Decoding) -> Iterator[Stamped]:
        seen = self._seen
        converter = RgbConverter((seen.width, seen.height))
        for frame in decoding:
            start = None if frame.pts is None else seen.seconds(frame.pts)
            duration = float(frame.duration * seen.time_base) if frame.duration else None
            yield Stamped(start, duration, partial(self._pixels, converter, frame))

    def _pixels(
        self, converter: RgbConverter, frame: VideoFrame, scalings: Collection[Scaling]
    ) -> Mapping[Scaling, Pixels]:
        if not scalings:
            return {}
        orientation, rgb = self._seen.orientation, converter.convert(frame)
        return {s: orientation.apply(scale(rgb, orientation.before_turning(s))) for s in scalings}

    def _judge(self, decoding: Decoding) -> None:
        seen = self._seen
        until = self.decoded_until or 0.0
        claimed = seen.video_end
        if claimed is None:
            until, claimed = max(until, float(decoding.reached - seen.second0)), seen.any_end
        self.truncated = decoding.broken or seen.lacks_samples or seen.falls_short(until, claimed)
        if decoding.damaged and not self.truncated:
            log.warning("%s: damaged packets that were passed over: %d", seen.path, decoding.damaged)

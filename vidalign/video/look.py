"""A cheap look at a video file: its headers and its first picture."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidalign.errors import VideoError
from vidalign.video.decoding import Decoding
from vidalign.video.pixels import Orientation
from vidalign.video.protocol import VideoInfo

NOT_A_VIDEO = "check that it is a video and that its download or recording was finished"


@dataclass(frozen=True, slots=True)
class Look:
    """What headers and the first picture tell. Times in seconds from second 0, sizes before rotation."""

    path: Path
    format: str
    stream: int
    codec: str
    pixel_format: str
    width: int
    height: int
    orientation: Orientation
    interlaced: bool
    time_base: Fraction
    rate: Fraction | None
    second0: Fraction
    """On the container's clock."""
    lag: Fraction
    """Seconds by which the pictures' time stamps are too late on that clock."""
    video_start: float
    video_end: float | None
    """Of the picture stream, as the container claims."""
    any_end: float | None
    """Of whatever stream ends last, as the container claims."""
    other_video_rates: tuple[Fraction | None, ...]
    samples: int | None
    """Pictures in the container's index, where it has a full one."""
    hides_samples: bool
    lacks_samples: bool
    """Whether pictures of the index, or a fragment, lie past the end of the file."""

    @property
    def displayed(self) -> tuple[int, int]:
        """(width, height) after rotation."""
        return self.orientation.turned((self.width, self.height))

    @property
    def frame_time(self) -> float:
        """Seconds that a picture lasts where the file does not say."""
        return float(1 / self.rate) if self.rate else 0.04

    @property
    def has_index(self) -> bool:
        """Whether the format (MP4, MOV) lists every sample in its header."""
        return "mp4" in self.format

    def info(self, reader: str, reason: str) -> VideoInfo:
        """What every reader says of the file."""
        width, height = self.displayed
        end = self.any_end if self.video_end is None else self.video_end
        start, codec = self.video_start, self.codec
        return VideoInfo(width, height, end, start, codec, reader, reason, self.time_base, self.rate)

    def falls_short(self, until: float, claimed: float | None) -> bool:
        """Whether reading ended, at `until` seconds, well before the end that the container claims."""
        return claimed is not None and until < claimed - max(0.5, 2 * self.frame_time)

    def seconds(self, pts: int) -> float:
        """A time stamp of the picture stream in seconds from second 0."""
        return float(pts * self.time_base - self.lag - self.second0)


def check_file(path: Path) -> None:
    """Raise VideoError unless `path` is a regular file that can be read and is not empty."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise VideoError(f"{path} is a folder, not a video", hint="name the files in it")
        if not stat.S_ISREG(status.st_mode):
            raise VideoError(
                f"{path} is not a regular file (a pipe or device)", hint="save it to a file first"
            )
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise VideoError(f"{path} does not exist", hint="check the name", errno=error.errno) from None
    except PermissionError as error:
        raise VideoError(
            f"{path} must not be read", hint="check the permissions of it and its folder", errno=error.errno
        ) from None
    except OSError as error:
        raise VideoError(f"{path} cannot be read: {error.strerror or error}", errno=error.errno) from None
    if status.st_size == 0:
        raise VideoError(f"{path} is empty", hint=NOT_A_VIDEO)


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """The container, closed at the end; raises VideoError. Nothing but local files is ever followed."""
    try:
        container = av.open(
            f"file:{os.fspath(path)}", metadata_errors="replace", options={"protocol_whitelist": "file"}
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"{path} {_why_not(path, error)}", hint=NOT_A_VIDEO) from None
    with container:
        yield container


def _why_not(path: Path, error: BaseException) -> str:
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":
        return "is broken: its index (moov) is missing or damaged"
    reason = getattr(error, "strerror", None) or str(error)
    return f"cannot be opened as a video: {reason}"


def picture_stream(container: InputContainer, path: Path) -> VideoStream:
    """The best picture stream by ffmpeg's notion; cover art does not count. Raises VideoError."""
    best = container.streams.best("video")
    if not isinstance(best, VideoStream) or best.disposition & Disposition.attached_pic:
        raise VideoError(f"{path} has no picture stream", hint="is it sound or text only?")
    if best.codec_context is None:
        raise VideoError(f"{path}: there is no decoder for its picture stream", hint="convert it to H.264")
    return best


def look(path: Path) -> Look:
    """Open, read the headers, decode one picture, close. Raises VideoError."""
    check_file(path)
    with opened(path) as container:
        stream = picture_stream(container, path)
        first = _first_picture(container, stream, path)
        return _describe(path, container, stream, first)


def _first_picture(container: InputContainer, stream: VideoStream, path: Path) -> VideoFrame:
    for picture in Decoding(container, stream):
        return picture
    raise VideoError(f"{path}: not one picture could be decoded", hint=NOT_A_VIDEO)


def _describe(path: Path, container: InputContainer, stream: VideoStream, first: VideoFrame) -> Look:
    time_base = stream.time_base or Fraction(1, 1000)
    clock = _clock(container)
    begin = first.pts * time_base if first.pts is not None else clock
    lag = Fraction(0)
    if container.format.name == "avi":
        # It holds decoding times only: pictures that wait to be reordered seem to begin late by that wait.
        lag = begin - (stream.start_time or 0) * time_base
    second0 = max(Fraction(0), min(clock, begin - lag))
    any_end = _any_end(container)
    video_end = _video_end(container, stream)
    samples, hidden, lacking = _index(container, stream, path)
    return Look(
        path=path,
        format=container.format.name,
        stream=stream.index,
        codec=stream.codec_context.codec.canonical_name,
        pixel_format=first.format.name,
        width=first.width,
        height=first.height,
        orientation=Orientation.of(first),
        interlaced=first.interlaced_frame,
        time_base=time_base,
        rate=stream.average_rate or stream.guessed_rate or None,
        second0=second0,
        lag=lag,
        video_start=max(0.0, float(begin - lag - second0)),
        video_end=None if video_end is None else float(video_end - second0),
        any_end=None if any_end is None else float(any_end - second0),
        other_video_rates=tuple(
            s.average_rate
            for s in container.streams.video
            if s.index != stream.index and not s.disposition & Disposition.attached_pic
        ),
        samples=samples,
        hides_samples=hidden,
        lacks_samples=lacking,
    )


def _clock(container: InputContainer) -> Fraction:
    """The container's start in seconds on its own clock, exact where a stream begins it."""
    start = Fraction(container.start_time or 0, av.time_base)
    begins = [
        s.start_time * s.time_base for s in container.streams if s.start_time is not None and s.time_base
    ]
    return min((b for b in begins if abs(b - start) < Fraction(2, av.time_base)), default=start)


def _video_end(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """The claimed end of the picture stream on the container's clock."""
    if stream.duration and stream.time_base:
        return ((stream.start_time or 0) + stream.duration) * stream.time_base
    tagged = _tagged_end(stream.metadata.get("DURATION", ""))
    if tagged is None and len(container.streams) == 1:
        return _any_end(container)
    return tagged


def _any_end(container: InputContainer) -> Fraction | None:
    if not container.duration:
        return None
    duration = Fraction(container.duration, av.time_base)
    # Matroska and FLV write the time of the end where other formats write a length.
    ends_at = "matroska" in container.format.name or container.format.name == "flv"
    return duration if ends_at else duration + Fraction(container.start_time or 0, av.time_base)


def _tagged_end(text: str) -> Fraction | None:
    """Matroska's statistics tag, HH:MM:SS.fraction: the end of the stream's last picture."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", text.strip("\0 "))
    if match is None:
        return None
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)


def _index(container: InputContainer, stream: VideoStream, path: Path) -> tuple[int | None, bool, bool]:
    """Samples in an MP4 header's index (None: no index); whether some are hidden; past the file's end."""
    if "mp4" not in container.format.name:
        return None, False, False
    if not stream.frames:
        return None, False, _last_box_is_cut(path)
    size = path.stat().st_size
    count = 0
    hidden = lacking = False
    for entry in stream.index_entries:
        count += 1
        hidden = hidden or entry.is_discard
        lacking = lacking or entry.pos + entry.size > size
    return count, hidden or count < stream.frames, lacking


def _last_box_is_cut(path: Path) -> bool:
    """Whether the last top-level box of an MP4 file claims more bytes than there are."""
    size = path.stat().st_size
    at = 0
    with path.open("rb") as file:
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            length = int.from_bytes(head[:4], "big")
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            if length < 8:
                return False
            at += length
    return at != size

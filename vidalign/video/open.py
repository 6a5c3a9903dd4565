"""One door to both readers: `open_video`."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Literal, get_args

from vidalign.errors import ConfigError, MissingExtraError, VideoError, did_you_mean
from vidalign.video.look import Look, look
from vidalign.video.pixels import Orientation
from vidalign.video.protocol import VideoReader
from vidalign.video.pyav import PyavReader

log = logging.getLogger("vidalign.video")

ReaderName = Literal["auto", "decord", "pyav"]

READERS: tuple[str, ...] = get_args(ReaderName)

PLAIN_CODECS = frozenset({"h264", "hevc", "vp9", "vp8", "av1", "mpeg4"})
PLAIN_PIXELS = frozenset({"yuv420p", "yuvj420p", "yuv420p10le"})

DECORD_BYTES = 256 * 2**20
"""Most that a video may take, decoded, for auto to take decord."""


def open_video(path: str | os.PathLike[str], reader: str = "auto", *, threads: int = 0) -> VideoReader:
    """Look at `path` and open it.

    `reader` auto takes decord where the look proves the plain case in which decord is right and its memory
    bounded, else PyAV; `info.reason` says which and why. `threads` decode (0: as many as the machine has
    cores). Raises VideoError for files that cannot be read, and where decord is asked for but known to be
    wrong; MissingExtraError where decord is asked for but not installed.
    """
    if reader not in READERS:
        hint = did_you_mean(reader, READERS, f"one of {', '.join(READERS)}")
        raise ConfigError(f"there is no reader {reader!r}", hint=hint)
    if reader == "decord" and not decord_works():
        raise MissingExtraError("the reader decord is not installed", hint="pip install decord2")
    seen = look(Path(path))
    if reader == "pyav":
        return PyavReader(seen, reason="asked for", threads=threads)
    if reader == "auto" and not decord_works():
        return PyavReader(seen, reason="decord is not installed", threads=threads)
    return _try_decord(seen, threads, asked=reader == "decord")


def decord_works() -> bool:
    """Whether decord can be imported here."""
    try:
        import vidalign.video.decord  # noqa: F401
    except (ImportError, OSError, RuntimeError):
        return False
    return True


def _try_decord(seen: Look, threads: int, *, asked: bool) -> VideoReader:
    from vidalign.video.decord import DecordReader, DecordTroubleError

    problem = trouble_for_decord(seen)
    too_much = decoded_bytes(seen) > DECORD_BYTES
    if problem is None and too_much and not asked:
        return PyavReader(seen, reason=f"decord may hold the whole video: {_size(seen)}", threads=threads)
    if problem is None:
        try:
            opened = DecordReader(seen, reason="asked for" if asked else "the file is plain", threads=threads)
        except DecordTroubleError as trouble:
            problem = str(trouble)
        else:
            if too_much:
                log.warning("%s: decord may hold the whole video in memory: %s", seen.path, _size(seen))
            return opened
    trouble_line = f"decord is not trusted with this file: {problem}"
    if asked:
        raise VideoError(f"{seen.path}: {trouble_line}", hint="use --reader pyav")
    return PyavReader(seen, reason=trouble_line, threads=threads)


def decoded_bytes(seen: Look) -> int:
    """What all pictures take as RGB: decord's queues have no bound, so that it may come to hold them all."""
    pictures = seen.samples or (seen.video_end or 0.0) / seen.frame_time
    return int(pictures * seen.width * seen.height * 3)


def _size(seen: Look) -> str:
    return f"{decoded_bytes(seen) / 2**20:,.0f} MiB decoded"


def trouble_for_decord(seen: Look) -> str | None:
    """Why decord is known, or not proven not, to be wrong on this file; None for the plain case."""
    half_frame = seen.frame_time / 2
    troubles = (
        (not seen.has_index and "matroska" not in seen.format, f"the container is {seen.format}"),
        (seen.codec not in PLAIN_CODECS, f"the codec is {seen.codec}"),
        (seen.pixel_format not in PLAIN_PIXELS, f"the pixel format is {seen.pixel_format}"),
        (seen.interlaced, "the pictures are interlaced"),
        (seen.orientation != Orientation(), "the picture is rotated"),
        (seen.hides_samples, "an edit list hides pictures"),
        (seen.lacks_samples, "the file breaks off"),
        (seen.has_index and seen.samples is None, "the file has no full index"),
        (seen.video_end is None, "the container does not say where the pictures end"),
        (seen.second0 != 0, f"its clock starts at {float(seen.second0):.3f} s"),
        (seen.video_start > half_frame, f"the pictures begin late, at {seen.video_start:.3f} s"),
        (seen.rate is None, "the frame rate is unknown"),
        (seen.rate in seen.other_video_rates, "it holds several picture streams of the same frame rate"),
    )
    return next((text for found, text in troubles if found), None)

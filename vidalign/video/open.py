"""One door to both readers: `open_video`."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

from vidalign.errors import ConfigError, MissingExtraError, VideoError
from vidalign.video.look import Look, look
from vidalign.video.pixels import Orientation
from vidalign.video.protocol import VideoReader
from vidalign.video.pyav import PyavReader

ReaderName = Literal["auto", "decord", "pyav"]

READERS: tuple[str, ...] = get_args(ReaderName)

PLAIN_CODECS = frozenset({"h264", "hevc", "vp9", "vp8", "av1", "mpeg4"})
PLAIN_PIXELS = frozenset({"yuv420p", "yuvj420p", "yuv420p10le"})


def open_video(path: str | os.PathLike[str], reader: str = "auto", *, threads: int = 0) -> VideoReader:
    """Look at `path` and open it.

    `reader` auto takes decord where the look proves the plain case in which decord is right, else PyAV;
    `info.reason` says which and why. `threads` decode (0: as many as the machine has cores).
    Raises VideoError for files that cannot be read, and where decord is asked for but known to be wrong;
    MissingExtraError where decord is asked for but not installed.
    """
    if reader not in READERS:
        raise ConfigError(f"there is no reader {reader!r}", hint=f"one of {', '.join(READERS)}")
    installed = reader != "pyav" and find_spec("decord") is not None
    if reader == "decord" and not installed:
        raise MissingExtraError("the reader decord is not installed", hint="pip install decord2")
    seen = look(Path(path))
    if reader == "pyav":
        return PyavReader(seen, reason="asked for", threads=threads)
    if not installed:
        return PyavReader(seen, reason="decord is not installed", threads=threads)
    return _prefer_decord(seen, threads, asked=reader == "decord")


def _prefer_decord(seen: Look, threads: int, *, asked: bool) -> VideoReader:
    problem = trouble_for_decord(seen)
    if problem is None:
        from vidalign.video.decord import DecordReader, DecordTroubleError

        try:
            reason = "asked for" if asked else "the file is plain"
            return DecordReader(seen, reason=reason, threads=threads)
        except DecordTroubleError as trouble:
            problem = str(trouble)
    if asked:
        raise VideoError(
            f"{seen.path}: decord is not trusted with this file: {problem}", hint="use --reader pyav"
        )
    return PyavReader(seen, reason=f"decord is not trusted with this file: {problem}", threads=threads)


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

"""Videos that careless programs crash, hang or lose a batch on."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from tests.tiny import FPS, cut_short, draw_video

GAP_SECONDS = 10**7


def breaks_off(path: Path, seed: int) -> None:
    """Half of a file that can be read up to there; its output is partial."""
    _from(path, ".mkv", lambda whole: cut_short(whole, path, 0.6), seed, seconds=6.0)


def lacks_its_index(path: Path, seed: int) -> None:
    """An MP4 whose recording was not finished."""
    _from(path, ".mp4", lambda whole: cut_short(whole, path, 0.6), seed)


def is_empty(path: Path, seed: int) -> None:
    """No byte."""
    path.write_bytes(b"")


def is_something_else(path: Path, seed: int) -> None:
    """A page that says that the video is gone."""
    path.write_text("<!doctype html><title>404</title>" * 50)


def has_one_frame(path: Path, seed: int) -> None:
    """A single picture."""
    draw_video(path, 1 / FPS, seed=seed)


def claims_to_be_huge(path: Path, seed: int) -> None:
    """A picture of 96x64 that says it is 60000x60000."""
    with av.open(path, "w", format="avi") as container:
        stream = container.add_stream("png", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "rgb24"
        for _ in range(2 * FPS):
            picture = np.full((64, 96, 3), seed % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    at = data.find(b"IHDR")
    while at >= 0:
        struct.pack_into(">II", data, at + 4, 60_000, 60_000)
        struct.pack_into(">I", data, at + 17, zlib.crc32(data[at : at + 17]))
        at = data.find(b"IHDR", at + 4)
    path.write_bytes(data)


def has_no_keyframe(path: Path, seed: int) -> None:
    """Only pictures that say how they differ from others, which are missing."""
    _remuxed(path, seed, lambda packet: not packet.is_keyframe, lambda number, pts: pts)


def has_endless_gaps(path: Path, seed: int) -> None:
    """Its second half is shown months after its first."""
    _remuxed(path, seed, lambda packet: True, lambda number, pts: pts + (number > FPS) * GAP_SECONDS * 1000)


def is_a_pipe(path: Path, seed: int) -> None:
    """Opening it waits for ever."""
    os.mkfifo(path)


HOSTILE: dict[str, Callable[[Path, int], None]] = {
    "breaks-off.mkv": breaks_off,
    "no-index.mp4": lacks_its_index,
    "empty.mp4": is_empty,
    "page.mp4": is_something_else,
    "one-frame.mp4": has_one_frame,
    "huge.avi": claims_to_be_huge,
    "no-keyframe.mkv": has_no_keyframe,
    "gaps.mkv": has_endless_gaps,
    "pipe.mp4": is_a_pipe,
}
"""What files are called that are hostile in this way, and who makes one."""


def _from(path: Path, suffix: str, change: Callable[[Path], object], seed: int, seconds: float = 3.0) -> None:
    whole = path.with_name(f".whole{suffix}")
    draw_video(whole, seconds, seed=seed)
    change(whole)
    whole.unlink()


def _remuxed(
    path: Path, seed: int, keep: Callable[[av.Packet], bool], moved: Callable[[int, int], int]
) -> None:
    """A drawn video with some of its packets, at other times (in ms)."""

    def remux(whole: Path) -> None:
        with av.open(whole) as source, av.open(path, "w", format="matroska") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            number = 0
            for packet in source.demux(video=0):
                if packet.pts is None or not keep(packet):
                    continue
                at = moved(number, round(packet.pts * packet.time_base * 1000))
                packet.time_base, packet.pts, packet.dts, packet.stream = Fraction(1, 1000), at, at, stream
                target.mux(packet)
                number += 1

    _from(path, ".mkv", remux, seed)

"""Drawn frames become an H.264 MP4 whose bytes depend on nothing but the frames and PyAV's version."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from vidalign.synthetic.drawing import Pixels

_ENCODER_OPTIONS = {
    "preset": "veryfast",
    "qp": "24",
    "g": "48",
    "threads": "1",
    "x264-params": "asm=SSE2",
}
"""A constant quantiser, since rate control calculates in floating point, and only instructions that every
x86-64 has, since those above SSE2 give other bytes."""


def encode(path: Path, frames: Iterable[Pixels], fps: int) -> None:
    """Write RGB frames of even width and height, (height, width, 3) uint8, as `path`, whatever its suffix."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options=_ENCODER_OPTIONS)
        for number, pixels in enumerate(frames):
            if number == 0:
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.codec_context.colorspace = Colorspace.ITU601
                stream.codec_context.color_range = ColorRange.MPEG
            container.mux(stream.encode(_video_frame(pixels)))
        container.mux(stream.encode(None))


def _video_frame(pixels: Pixels) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(rgb_to_yuv420(pixels), format="yuv420p")


def rgb_to_yuv420(pixels: Pixels) -> NDArray[np.uint8]:
    """BT.601 limited range in integers: (H, W, 3) RGB to planar (H * 3 / 2, W), chroma averaged over 2x2."""
    width = pixels.shape[1]
    red, green, blue = (pixels[..., channel].astype(np.int32) for channel in range(3))
    luma = (66 * red + 129 * green + 25 * blue + 128 >> 8) + 16
    red, green, blue = (_sum_of_four(plane) for plane in (red, green, blue))
    chroma_blue = (-38 * red - 74 * green + 112 * blue + 512 >> 10) + 128
    chroma_red = (112 * red - 94 * green - 18 * blue + 512 >> 10) + 128
    planes = (luma, chroma_blue, chroma_red)
    return np.concatenate([plane.astype(np.uint8).reshape(-1, width) for plane in planes])


def _sum_of_four(plane: NDArray[np.int32]) -> NDArray[np.int32]:
    rows = plane[0::2] + plane[1::2]
    summed: NDArray[np.int32] = rows[:, 0::2] + rows[:, 1::2]
    return summed

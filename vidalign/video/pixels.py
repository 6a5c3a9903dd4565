"""Pixels on their way out: to RGB as the stream's colour tags say, scaled, turned upright."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self

import av.filter
import numpy as np
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame

from vidalign.video.protocol import Pixels, Scaling, Size

if TYPE_CHECKING:
    from torch import Tensor

TIME_BASE = Fraction(1, 1000)
"""The filter asks for one; frames are converted one by one, whatever their time."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a stored picture is turned to be displayed: transposed first, then mirrored."""

    transpose: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    @classmethod
    def of(cls, frame: VideoFrame) -> Self:
        """Read the display matrix, rounded to quarter turns."""
        side_data: Any = frame.side_data
        matrix = side_data.get(Type.DISPLAYMATRIX)
        if matrix is None:
            return cls()
        a, b, _, c, d = np.frombuffer(bytes(matrix), dtype=np.int32)[:5]
        if abs(int(b)) > abs(int(a)):
            return cls(True, flip_rows=bool(b < 0), flip_columns=bool(c < 0))
        return cls(False, flip_rows=bool(d < 0), flip_columns=bool(a < 0))

    def turned(self, size: Size) -> Size:
        """The (width, height) before turning of a picture that is `size` after it, or the reverse."""
        return (size[1], size[0]) if self.transpose else size

    def before_turning(self, scaling: Scaling) -> Scaling:
        """What scales the stored picture so that it is as `scaling` says once turned."""
        return scaling if scaling.size is None else replace(scaling, size=self.turned(scaling.size))

    def apply(self, pixels: Pixels) -> Pixels:
        """Turn (H, W, 3)."""
        turned = pixels.transpose(1, 0, 2) if self.transpose else pixels
        rows = slice(None, None, -1) if self.flip_rows else slice(None)
        columns = slice(None, None, -1) if self.flip_columns else slice(None)
        return np.ascontiguousarray(turned[rows, columns])


def scale(pixels: Pixels, scaling: Scaling) -> Pixels:
    """Scale (H, W, 3) uint8.

    torch is imported here, late: a file that cannot be read must not wait for it.
    """
    height, width = pixels.shape[:2]
    if scaling.size is None or scaling.size == (width, height):
        return pixels if scaling.rounding else pixels.astype(np.float32)
    if scaling.interpolation == "nearest":
        columns, rows = (
            (2 * np.arange(new) + 1) * old // (2 * new)
            for new, old in zip(scaling.size, (width, height), strict=True)
        )
        nearest: Pixels = pixels[rows][:, columns]
        return nearest if scaling.rounding else nearest.astype(np.float32)
    import torch

    planes = torch.from_numpy(np.ascontiguousarray(pixels)).unsqueeze(0).permute(0, 3, 1, 2)
    scaled = _interpolate(planes, scaling)
    if scaled.dtype != torch.uint8 and scaling.rounding:
        scaled = scaled.round_().clamp_(0, 255).to(torch.uint8)
    return np.ascontiguousarray(scaled.permute(0, 2, 3, 1)[0].numpy())


def _interpolate(planes: Tensor, scaling: Scaling) -> Tensor:
    """(1, 3, H, W) uint8 scaled; as float32 where torch's 8-bit arithmetic would not give what is asked."""
    from torch.nn.functional import interpolate

    assert scaling.size is not None
    size = (scaling.size[1], scaling.size[0])
    plain = planes if scaling.rounding and scaling.antialias else planes.float()
    return interpolate(plain, size=size, mode=scaling.interpolation, antialias=scaling.antialias)


class RgbConverter:
    """Decoded frames to full-range RGB of `size` (width, height), by the frame's own matrix and range.

    ffmpeg's scale filter does it with its default flags, as decord has it inside, so that both agree. It
    scales only where a stream changes its size on the way.
    """

    def __init__(self, size: Size) -> None:
        self._size = size
        self._graph: av.filter.Graph | None = None
        self._made_for: tuple[object, ...] = ()

    def convert(self, frame: VideoFrame) -> Pixels:
        """(H, W, 3) uint8."""
        kind = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        if self._graph is None or kind != self._made_for:
            self._graph, self._made_for = self._build(frame), kind
        self._graph.push(frame)
        converted = self._graph.pull()
        if not isinstance(converted, VideoFrame):
            raise TypeError(f"the scale filter gave {type(converted).__name__}")
        return np.asarray(converted.to_ndarray(), np.uint8)

    def _build(self, frame: VideoFrame) -> av.filter.Graph:
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=TIME_BASE
        )
        width, height = self._size
        scaler = graph.add("scale", f"{width}:{height}:threads=1")
        rgb = graph.add("format", "rgb24")
        sink = graph.add("buffersink")
        source.link_to(scaler)
        scaler.link_to(rgb)
        rgb.link_to(sink)
        graph.configure()
        return graph

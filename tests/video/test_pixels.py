"""Colours by the stream's tags, scaling, turning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from vidalign.video.open import open_video
from vidalign.video.pixels import Orientation, RgbConverter, scale
from vidalign.video.protocol import AS_IT_IS, Scaling

BT709, BT601 = 1, 5
LIMITED, FULL = 1, 2


def yuv(y: int, u: int, v: int, matrix: int, range_: int, name: str = "yuv420p") -> av.VideoFrame:
    shift = 2 if "10" in name else 0
    kind = np.uint16 if shift else np.uint8
    planes = np.concatenate(
        [np.full(n, value << shift, kind) for n, value in [(32 * 32, y), (256, u), (256, v)]]
    ).reshape(48, 32)
    frame = av.VideoFrame.from_ndarray(planes, format=name)
    frame.colorspace, frame.color_range = matrix, range_
    return frame


def rgb(y: int, u: int, v: int, matrix: int, range_: int) -> list[float]:
    """The textbook conversion."""
    kr, kb = {BT709: (0.2126, 0.0722), BT601: (0.299, 0.114)}[matrix]
    luma = (y - 16) / 219 if range_ == LIMITED else y / 255
    cb, cr = ((c - 128) / (224 if range_ == LIMITED else 255) for c in (u, v))
    red, blue = luma + 2 * (1 - kr) * cr, luma + 2 * (1 - kb) * cb
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return [min(max(c, 0), 1) * 255 for c in (red, green, blue)]


@pytest.mark.parametrize("name", ["yuv420p", "yuv420p10le"])
@pytest.mark.parametrize("range_", [LIMITED, FULL])
@pytest.mark.parametrize("matrix", [BT709, BT601])
@pytest.mark.parametrize("colour", [(16, 128, 128), (235, 128, 128), (120, 90, 160), (60, 150, 110)])
def test_matrix_and_range_are_honoured(
    colour: tuple[int, int, int], matrix: int, range_: int, name: str
) -> None:
    pixels = RgbConverter((32, 32)).convert(yuv(*colour, matrix, range_, name))
    assert pixels.mean((0, 1)) == pytest.approx(rgb(*colour, matrix, range_), abs=3)


def test_black_and_white_of_a_file(
    tmp_path: Path, write_video: Callable[..., None], video: Any, make_sample: Callable[[str], Any]
) -> None:
    """Block levels 50 and 200 survive encoding, whatever the range and depth."""
    for name in ("cfr_h264", "full_range", "hevc_10bit", "h264_odd_size", "mpeg4_avi"):
        with open_video(make_sample(name).path) as reader:
            grey = next(reader.frames()).pixels.mean(-1)
        assert np.median(grey) == pytest.approx(50, abs=4), name


def test_a_stream_that_changes_its_size_keeps_the_first() -> None:
    converter = RgbConverter((32, 32))
    assert converter.convert(yuv(100, 128, 128, BT709, LIMITED)).shape == (32, 32, 3)
    other = av.VideoFrame.from_ndarray(np.full((48, 64), 100, np.uint8), format="gray")
    assert converter.convert(other).shape == (32, 32, 3)


def test_scale_is_antialiased_bilinear() -> None:
    """Halving a checkerboard gives grey, not one of its colours; doubling interpolates."""
    board = np.indices((16, 16)).sum(0) % 2 * 200
    pixels = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    assert np.abs(scale(pixels, Scaling((8, 8)))[2:-2, 2:-2].astype(int) - 100).max() <= 1
    ramp = np.repeat(np.array([[[0], [100]]], np.uint8), 3, axis=2)
    assert scale(ramp, Scaling((4, 1)))[0, :, 0].tolist() == [0, 25, 75, 100]


def test_scale_takes_width_then_height() -> None:
    pixels = np.zeros((10, 20, 3), np.uint8)
    assert scale(pixels, Scaling((7, 5))).shape == (5, 7, 3)
    assert scale(pixels, Scaling((20, 10))) is pixels
    assert scale(pixels, AS_IT_IS) is pixels


def test_scale_reads_padded_rows_alike() -> None:
    wide = np.random.default_rng(0).integers(0, 255, (20, 40, 3)).astype(np.uint8)
    assert np.array_equal(scale(wide[:, :30], Scaling((8, 8))), scale(wide[:, :30].copy(), Scaling((8, 8))))


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_all_eight_orientations(
    turns: int, mirror: bool, tmp_path: Path, write_video: Callable[..., None], video: Any, read_number: Any
) -> None:
    path = tmp_path / "turned.mp4"
    write_video(path, video(turns=turns, mirror=mirror, ticks=[0, 100, 200], first_number=0b10010110))
    with open_video(path, "pyav") as reader:
        frames = list(reader.frames())
        info = reader.info
        scaled = list(reader.frames(Scaling((24, 40))))
    assert (info.width, info.height) == ((64, 48) if turns % 2 == 0 else (48, 64))
    assert [read_number(frame.pixels) for frame in frames] == [0b10010110, 0b10010111, 0b10011000]
    assert {frame.pixels.shape for frame in scaled} == {(40, 24, 3)}
    assert [read_number(frame.pixels) for frame in scaled] == [0b10010110, 0b10010111, 0b10011000]
    redder_left = frames[0].pixels[:, :8, 0].mean() - frames[0].pixels[:, :8, 2].mean()
    assert redder_left < 0


def test_turning_a_size() -> None:
    assert Orientation(transpose=True).turned((3, 2)) == (2, 3)
    assert Orientation(flip_rows=True).turned((3, 2)) == (3, 2)

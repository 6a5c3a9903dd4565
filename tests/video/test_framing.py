"""Scaling and cropping against what the sources of recipes do: PIL, and plain torch on floats."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn.functional import interpolate

from vidalign.backbones.encode import clip_tensor
from vidalign.errors import VideoError
from vidalign.types import Recipe
from vidalign.video.framing import check_fits, crops, frame_size, scaling
from vidalign.video.pixels import scale
from vidalign.video.protocol import Pixels, Scaling, Size, VideoInfo

TSP = Recipe(
    *("tsp", 15, 16, 16, (128, 171), 112, "features"),
    stride_unit="frames",
    resize="exact",
    antialias=False,
    rounding=False,
    crop_offset="round",
    mean=(0.43216, 0.394666, 0.37645),
    std=(0.22803, 0.22145, 0.216989),
)
TAM = Recipe(
    *("tam", "native", 8, 1, 256, 256, "features"),
    step=8,
    sampling="dense",
    views=10,
    crop="three",
    long_side="floor",
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
)


def info(width: int, height: int) -> VideoInfo:
    return VideoInfo(width, height, None, 0.0, "h264", "fake", "a test")


@pytest.fixture(scope="module", params=[(320, 240), (131, 260)])
def picture(request: pytest.FixtureRequest) -> Pixels:
    """Smooth shapes with sharp edges and some noise, as pictures have."""
    width, height = request.param
    rows, columns = np.mgrid[:height, :width]
    grey = 120 + 90 * np.sin(rows / 9) * np.cos(columns / 13) + 60 * ((rows // 16 + columns // 24) % 2)
    noise = np.random.default_rng(0).normal(0, 8, (height, width, 3))
    return np.clip(grey[..., None] + noise + [0, 10, -20], 0, 255).astype(np.uint8)


def prepared(pixels: Pixels, recipe: Recipe) -> list[NDArray[np.float32]]:
    """What the network sees of one picture, (3, H, W) for each crop, by vidalign's own steps."""
    height, width = pixels.shape[:2]
    scaled = scale(pixels, scaling(info(width, height), recipe))
    device = torch.device("cpu")
    return [clip_tensor(p[None, None], recipe, device)[0, :, 0].numpy() for p in crops(scaled, recipe)]


def normalised(planes: NDArray[Any], recipe: Recipe) -> NDArray[Any]:
    mean, std = (np.array(v).reshape(3, 1, 1) for v in (recipe.mean, recipe.std))
    return np.asarray((planes - mean) / std)


def test_tsp(picture: Pixels) -> None:
    """uint8 / 255, bilinear to 128 x 171 without antialias, normalised, rows from 8, columns from 30."""
    planes = torch.from_numpy(picture).permute(2, 0, 1).float() / 255
    resized = interpolate(planes[None], (128, 171), mode="bilinear", align_corners=False)[0].numpy()
    expected = normalised(resized, TSP)[:, 8:120, 30:142]
    (made,) = prepared(picture, TSP)
    np.testing.assert_allclose(made, expected, atol=2e-5)
    (floored,) = prepared(picture, replace(TSP, crop_offset="floor"))
    assert np.abs(floored - expected).max() > 0.01
    (rounded,) = prepared(picture, replace(TSP, rounding=True))
    assert 1e-3 < np.abs(rounded - expected).max() < 0.5 / 255 / 0.216 * 1.01


def by_pil(picture: Pixels, size: Size, how: Image.Resampling) -> NDArray[np.int64]:
    """Across, then down: the order of all but its latest versions, which take the cheaper one first."""
    image = Image.fromarray(picture)
    return np.asarray(image.resize((size[0], image.height), how).resize(size, how)).astype(int)


@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(160, 120), (77, 97), (400, 500)])
def test_antialiased_scaling_is_pils(name: Any, size: Size, picture: Pixels) -> None:
    made = scale(picture, Scaling(size, name))
    assert made.dtype == np.uint8
    away = np.abs(made - by_pil(picture, size, Image.Resampling[name.upper()]))
    assert (away > 1).mean() < 1e-4
    assert away.max() <= (1 if name == "bilinear" else 2)
    assert away.mean() < 0.02


def test_nearest_takes_the_pixel_over_the_middle(picture: Pixels) -> None:
    """PIL's rule, which differs by its arithmetic where the middle lies on a border of pixels."""
    expected = np.asarray(Image.fromarray(picture).resize((57, 43), Image.Resampling.NEAREST))
    assert (scale(picture, Scaling((57, 43), "nearest")) != expected).mean() < 0.05
    board = np.arange(16, dtype=np.uint8).reshape(4, 4, 1).repeat(3, axis=2)
    assert scale(board, Scaling((2, 2), "nearest"))[..., 0].tolist() == [[5, 7], [13, 15]]


@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
def test_without_antialias_only_neighbours_count(name: Any, picture: Pixels) -> None:
    made = scale(picture, Scaling((57, 43), name, antialias=False, rounding=False))
    planes = torch.from_numpy(picture).permute(2, 0, 1)[None].double()
    exact = interpolate(planes, (43, 57), mode=name, align_corners=False)[0].permute(1, 2, 0).numpy()
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, exact, atol=1e-3)
    rounded = scale(picture, Scaling((57, 43), name, antialias=False))
    assert rounded.dtype == np.uint8
    assert np.abs(rounded - np.clip(exact, 0, 255)).max() <= 0.501
    assert np.abs(scale(picture, Scaling((57, 43), name)).astype(int) - rounded).max() > 10


def test_clip_s_own_preparation(picture: Pixels) -> None:
    """Shorter side 224 bicubic, the longer rounded down, centre crop, as PIL and torchvision do it."""
    recipe = Recipe(
        *("clip", 1, 1, 1, 224, 224, "features"),
        interpolation="bicubic",
        long_side="floor",
        crop_offset="round",
    )
    height, width = picture.shape[:2]
    size = (int(224 * width / height), 224) if width > height else (224, int(224 * height / width))
    resized = by_pil(picture, size, Image.Resampling.BICUBIC)
    top, left = round((size[1] - 224) / 2), round((size[0] - 224) / 2)
    expected = resized[top : top + 224, left : left + 224].transpose(2, 0, 1) / 255
    (made,) = prepared(picture, recipe)
    away = np.abs(made - expected) * 255
    assert (away > 1.01).mean() < 1e-4
    assert away.max() < 2.01


def test_tam_s_three_crops(picture: Pixels) -> None:
    height, width = picture.shape[:2]
    size = (256 * width // height, 256) if width > height else (256, 256 * height // width)
    resized = by_pil(picture, size, Image.Resampling.BILINEAR)
    rest = max(size) - 256
    for made, offset in zip(prepared(picture, TAM), (0, rest // 2, rest), strict=True):
        part = resized[:, offset : offset + 256] if width > height else resized[offset : offset + 256]
        expected = normalised(part.transpose(2, 0, 1) / 255, TAM)
        assert np.abs(made - expected).max() <= 1.01 / 255 / 0.224


def test_a_scaling_that_does_not_round_never_gives_8_bits(picture: Pixels) -> None:
    height, width = picture.shape[:2]
    for size in (None, (width, height), (50, 50)):
        assert scale(picture, Scaling(size, rounding=False)).dtype == np.float32
        assert scale(picture, Scaling(size)).dtype == np.uint8


@pytest.mark.parametrize(
    ("size", "changes", "expected"),
    [
        ((640, 360), {"size": 224}, (398, 224)),
        ((360, 640), {"size": 224}, (224, 398)),
        ((854, 480), {"size": 256}, (455, 256)),
        ((853, 480), {"size": 256}, (455, 256)),
        ((853, 480), {"size": 256, "long_side": "floor"}, (454, 256)),
        ((3, 2), {"size": 1}, (2, 1)),
        ((3, 2), {"size": 1, "long_side": "floor"}, (1, 1)),
        ((640, 360), {"size": 224, "resize": "exact"}, (224, 224)),
        ((640, 360), {"size": (128, 171), "resize": "exact"}, (171, 128)),
        ((640, 360), {"resize": "none"}, None),
    ],
)
def test_frame_size(size: Size, changes: dict[str, Any], expected: Size | None) -> None:
    recipe = Recipe.from_mapping(
        {"name": "r", "fps": 1, "frames": 1, "stride": 1, "size": 1, "crop_size": 1, "layer": "x"} | changes
    )
    assert frame_size(info(*size), recipe) == expected


def numbered(height: int, width: int) -> Pixels:
    return np.arange(height * width * 3, dtype=np.int16).reshape(height, width, 3)


def crop_recipe(crop: str, side: int = 4, **changes: Any) -> Recipe:
    values = {"name": "r", "fps": 1, "frames": 1, "stride": 1, "size": 99, "layer": "x"}
    return Recipe.from_mapping({**values, "crop": crop, "crop_size": side, **changes})


def test_centre_crop_and_the_rounding_of_its_offset() -> None:
    pixels = numbered(7, 11)
    assert np.array_equal(crops(pixels, crop_recipe("center"))[0], pixels[1:5, 3:7])
    assert np.array_equal(crops(pixels, crop_recipe("center", crop_offset="round"))[0], pixels[2:6, 4:8])
    (whole,) = crops(pixels, crop_recipe("none"))
    assert whole.shape == (7, 11, 3)


@pytest.mark.parametrize("crop", ["center", "three", "ten", "none"])
def test_crops_hold_no_more_than_themselves(crop: str) -> None:
    for part in crops(numbered(7, 11)[:, 1:10], crop_recipe(crop)):
        assert part.flags.c_contiguous
        assert part.base is None or part.base.nbytes == part.nbytes


def test_three_crops_lie_along_the_longer_side() -> None:
    wide = numbered(4, 11)
    offsets = [0, 3, 7]
    for part, left in zip(crops(wide, crop_recipe("three")), offsets, strict=True):
        assert np.array_equal(part, wide[:, left : left + 4])
    tall = numbered(11, 5)
    for part, top in zip(crops(tall, crop_recipe("three")), offsets, strict=True):
        assert np.array_equal(part, tall[top : top + 4, 0:4])


def test_ten_crops_are_corners_and_centre_and_mirrored() -> None:
    pixels = numbered(6, 9)
    made = crops(pixels, crop_recipe("ten"))
    places = [(0, 0), (0, 5), (2, 0), (2, 5), (1, 2)]
    for k, (top, left) in enumerate(places):
        part = pixels[top : top + 4, left : left + 4]
        assert np.array_equal(made[k], part)
        assert np.array_equal(made[k + 5], part[:, ::-1])


def test_pictures_smaller_than_the_crop_are_refused() -> None:
    check_fits(info(5, 4), crop_recipe("center", resize="none"))
    check_fits(info(3, 3), crop_recipe("none", resize="none"))
    with pytest.raises(VideoError, match="5x3, are smaller than the crop of 4 of recipe r"):
        check_fits(info(5, 3), crop_recipe("ten", resize="none"))

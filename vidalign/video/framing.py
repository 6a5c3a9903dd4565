"""What part of a picture a network sees, and at what size."""

from __future__ import annotations

import numpy as np

from vidalign.errors import VideoError
from vidalign.recipe import Recipe
from vidalign.video.protocol import Pixels, Scaling, Size, VideoInfo


def scaling(info: VideoInfo, recipe: Recipe) -> Scaling:
    """How the frames of this video are scaled before cropping."""
    return Scaling(frame_size(info, recipe), recipe.interpolation, recipe.antialias, recipe.rounding)


def frame_size(info: VideoInfo, recipe: Recipe) -> Size | None:
    """(width, height) to which frames are scaled, None for their own.

    Resize short: the shorter side becomes `recipe.size`, the longer keeps the ratio, rounded half up or, for
    `long_side` floor, down.
    """
    if recipe.resize == "none":
        return None
    if isinstance(recipe.size, tuple):
        return recipe.size[1], recipe.size[0]
    if recipe.resize == "exact":
        return recipe.size, recipe.size
    short = min(info.width, info.height)
    half = short if recipe.long_side == "round" else 0
    width, height = ((2 * side * recipe.size + half) // (2 * short) for side in (info.width, info.height))
    return width, height


def check_fits(info: VideoInfo, recipe: Recipe) -> None:
    """Raise VideoError where pictures as they are, are smaller than the crop."""
    if recipe.resize == "none" and recipe.crop != "none" and min(info.width, info.height) < recipe.crop_size:
        raise VideoError(
            f"its pictures, {info.width}x{info.height}, are smaller than the crop of {recipe.crop_size} "
            f"of recipe {recipe.name}",
            hint="give a --recipe with a resize",
        )


def crops(pixels: Pixels, recipe: Recipe) -> tuple[Pixels, ...]:
    """The parts of (H, W, 3) that the recipe's crop takes, each contiguous.

    three: left (or top), centre, right (or bottom). ten: the four corners from the top left, row by row, and
    the centre; then these mirrored.
    """
    if recipe.crop == "none":
        return (np.ascontiguousarray(pixels),)
    side = recipe.crop_size
    bottom, right = pixels.shape[0] - side, pixels.shape[1] - side
    top, left = _middle(bottom, recipe), _middle(right, recipe)
    corners = [(top, left)]
    if recipe.crop == "three":
        corners = [(0, left), (top, left), (bottom, left)]
        if right >= bottom:
            corners = [(top, 0), (top, left), (top, right)]
    elif recipe.crop == "ten":
        corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), (top, left)]
    parts = [pixels[y : y + side, x : x + side] for y, x in corners]
    if recipe.crop == "ten":
        parts += [part[:, ::-1] for part in parts]
    return tuple(np.ascontiguousarray(part) for part in parts)


def _middle(rest: int, recipe: Recipe) -> int:
    """The offset that leaves as much before as behind; halves to the even number for `round`."""
    return round(rest / 2) if recipe.crop_offset == "round" else rest // 2

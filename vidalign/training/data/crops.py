"""Parts of pictures, cut at random and scaled to one size (TSN, Wang et al., ECCV 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

Box = tuple[int, int, int, int]
"""top, left, height, width."""

QUARTERS = (
    *((0, 0), (4, 0), (0, 4), (4, 4), (2, 2)),
    *((0, 2), (4, 2), (2, 4), (2, 0)),
    *((1, 1), (3, 1), (1, 3), (3, 3)),
)
"""Where a part may lie, in quarters of what is over: corners, centre, middles of the sides, between them."""


class MultiScale:
    """Draws parts whose sides are shares of the shorter side, at most `distortion` apart in the list.

    A side within 3 pixels of the wanted one is that.
    """

    def __init__(self, shares: Sequence[float], distortion: int, wanted: tuple[int, int]) -> None:
        places = range(len(shares))
        self.pairs = tuple((shares[i], shares[k]) for i in places for k in places if abs(i - k) <= distortion)
        self.wanted = wanted

    def draw(self, shape: tuple[int, int], random: Random) -> Box:
        """A part of pictures of that (height, width)."""
        sides = tuple(
            _snapped(int(min(shape) * share), wanted, limit)
            for share, wanted, limit in zip(random.choice(self.pairs), self.wanted, shape, strict=True)
        )
        top, left = (
            (whole - side) // 4 * quarters
            for whole, side, quarters in zip(shape, sides, random.choice(QUARTERS), strict=True)
        )
        return top, left, sides[0], sides[1]


def _snapped(side: int, wanted: int, limit: int) -> int:
    return min(wanted if abs(side - wanted) < 3 else max(1, side), limit)


def scale_cropped(pixels: NDArray[np.uint8], box: Box, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """The part of (T, H, W, 3), scaled to (T, *shape, 3), bilinear with antialiasing."""
    top, left, height, width = box
    part = pixels[:, top : top + height, left : left + width]
    if (height, width) == shape:
        return np.ascontiguousarray(part)
    planes = torch.from_numpy(np.ascontiguousarray(part)).permute(0, 3, 1, 2)
    scaled = interpolate(planes, size=shape, mode="bilinear", antialias=True)
    return np.ascontiguousarray(scaled.permute(0, 2, 3, 1).numpy())


def mirrored(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(T, H, W, 3) with left and right exchanged."""
    return np.ascontiguousarray(pixels[:, :, ::-1])

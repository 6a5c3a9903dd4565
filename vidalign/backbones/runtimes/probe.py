"""Whether two ways to compute a network give the same features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vidalign.backbones.encode import scale_pixels
from vidalign.types import Recipe

TOLERANCE = 1e-4
"""Largest difference of two features that count as equal, as a share of the largest value."""


def noise_clips(shape: Sequence[int], recipe: Recipe) -> Tensor:
    """The same random clips (B, 3, N, H, W) every time, scaled as the recipe says, channels last."""
    batch, channels, *sides = shape
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (batch, *sides, channels), generator=generator, dtype=torch.uint8)
    return scale_pixels(pixels.permute(0, 4, 1, 2, 3), recipe)


def difference(features: Tensor, expected: Tensor) -> float:
    """The largest difference as a share of the largest expected value; infinite where shapes differ."""
    if features.shape != expected.shape:
        return float("inf")
    largest = float(expected.abs().max())
    apart = float((features - expected).abs().max())
    return apart / largest if largest else apart

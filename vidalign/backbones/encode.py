"""Clips -> features, in batches, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidalign.backbones.registry import Backbone
from vidalign.types import Recipe

CPU_BATCH = 4
GPU_BATCH = 32
"""Clips that run together; more gains nothing on a CPU and costs memory."""


def clip_tensor(pixels: NDArray[np.uint8], recipe: Recipe, device: torch.device) -> Tensor:
    """Clips (B, N, H, W, 3) uint8 -> (B, 3, N, H, W) float32 in the recipe's range, channels last."""
    return scale_pixels(torch.from_numpy(pixels).to(device).permute(0, 4, 1, 2, 3), recipe)


def scale_pixels(clips: Tensor, recipe: Recipe) -> Tensor:
    """Clips (B, 3, N, H, W) uint8 -> float32 in the recipe's range."""
    scaled = clips.float()
    if recipe.range == "0-1":
        scaled = scaled.div_(255)
    elif recipe.range == "-1-1":
        scaled = scaled.div_(127.5).sub_(1)
    if recipe.mean != (0.0, 0.0, 0.0) or recipe.std != (1.0, 1.0, 1.0):
        shape = (1, 3, 1, 1, 1)
        mean, std = (torch.tensor(v, device=clips.device).view(shape) for v in (recipe.mean, recipe.std))
        scaled = scaled.sub_(mean).div_(std)
    return scaled


def encode(
    backbone: Backbone, clips: Iterable[NDArray[np.uint8]], *, device: str = "cpu", precision: str = "float32"
) -> Iterator[NDArray[np.float32]]:
    """Features (B, D) float32 of clips (N, H, W, 3), batch by batch; `precision` float32, bf16 or fp16."""
    place = torch.device(device)
    dtype = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    size = CPU_BATCH if place.type == "cpu" else GPU_BATCH
    rest = iter(clips)
    while group := list(islice(rest, size)):
        with torch.inference_mode(), torch.autocast(place.type, dtype, enabled=dtype is not torch.float32):
            features = backbone(clip_tensor(np.stack(group), backbone.recipe, place))
        yield features.float().cpu().numpy()

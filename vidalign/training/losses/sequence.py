"""The contrast of a video's clips with its captions in order and in other orders (TempCLR, ICLR 2023)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from vidalign.aligners.decoders.soft.dtw import soft_dtw
from vidalign.aligners.decoders.soft.otam import soft_otam_both

Distance = Literal["dtw", "otam"]
EPSILON = 0.01
"""Added to the product of two lengths, by which their dot product is divided."""

_DISTANCES: dict[Distance, Callable[..., Tensor]] = {"dtw": soft_dtw, "otam": soft_otam_both}


def cosine_distances(text: Tensor, video: Tensor) -> Tensor:
    """Captions (..., K, C) and clips (..., T, C) -> 1 - cosine (..., K, T)."""
    lengths = text.norm(dim=-1)[..., :, None] * video.norm(dim=-1)[..., None, :]
    cosines: Tensor = text @ video.mT / (lengths + EPSILON)
    return 1 - cosines


def pick_evenly(apart: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Videos (V,) with at least `count` clips that are `apart` (B, C), and (V, count) of these each, spread
    evenly over all."""
    there = apart.sum(1)
    videos = (there >= count).nonzero()[:, 0]
    steps = torch.linspace(0, 1, count, device=apart.device, dtype=torch.float64)
    places = (steps * (there[videos, None] - 1) + 1e-9).floor().long()
    first = (~apart[videos]).long().argsort(dim=1, stable=True)
    return videos, first.gather(1, places)


def other_orders(count: int, number: int, generator: torch.Generator | None = None) -> Tensor:
    """(number, count): different orders of `count` things, none of them theirs; there must be as many."""
    found = {tuple(range(count)): None}
    while len(found) <= number:
        found[tuple(torch.randperm(count, generator=generator).tolist())] = None
    return torch.tensor(list(found)[1:])


def sequence_contrast(
    text: Tensor, video: Tensor, orders: Tensor, distance: Distance, gamma: float
) -> Tensor:
    """Cross-entropy (V,) of captions (V, S, C) in order among `orders` (N, S) of them, clips (V, S, C) alike.

    Scores are softened distances, negative. OTAM counts both ways.
    """
    every = with_own(orders).to(text.device)
    return first_of_all(cosine_distances(text, video)[:, every], distance, gamma)


def with_own(orders: Tensor) -> Tensor:
    """(1 + N, S): what is in order, and then the orders (N, S)."""
    return torch.cat([torch.arange(orders.shape[1])[None], orders])


def first_of_all(costs: Tensor, distance: Distance, gamma: float) -> Tensor:
    """Cross-entropy (V,) of the first among the matrices of costs (V, N, K, T), by softened distances."""
    scores = -_DISTANCES[distance](costs.flatten(0, 1), gamma=gamma).view(costs.shape[:2])
    return F.cross_entropy(scores, scores.new_zeros(len(costs), dtype=torch.long), reduction="none")

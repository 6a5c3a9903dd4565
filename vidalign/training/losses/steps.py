"""The steps of a task and the seconds that show them: each second by itself, and all of them in order.

As VideoCLIP (EMNLP 2021) and TempCLR (ICLR 2023) go on training on CrossTask.
"""

from __future__ import annotations

from collections import Counter
from math import factorial, prod

import torch
from torch import Tensor
from torch.nn import functional as F

from vidalign.training.losses.sequence import Distance, cosine_distances, first_of_all, with_own


def seconds_by_steps(seconds: Tensor, steps: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy of the dot products of seconds (M, C) with steps (K, C), in the mean over all
    cells; `truth` (M, K) is what is shown."""
    return F.binary_cross_entropy_with_logits(seconds @ steps.mT, truth.to(seconds.dtype))


def other_sequences(sequence: Tensor, number: int, generator: torch.Generator | None = None) -> Tensor:
    """(N, S): orders of the places of a sequence (S,) that make other sequences of it, each another one.

    N is `number`, or as many as there are: none where all of its steps are the same.
    """
    steps = sequence.tolist()
    there = factorial(len(steps)) // prod(factorial(count) for count in Counter(steps).values()) - 1
    found: dict[tuple[int, ...], Tensor] = {tuple(steps): sequence}
    while len(found) <= min(number, there):
        order = torch.randperm(len(steps), generator=generator)
        found.setdefault(tuple(sequence[order].tolist()), order)
    return torch.stack(list(found.values()))[1:]


def shuffled_frames(stretch: Tensor, orders: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """(N, F): the frames of stretches in these orders (N, S), shuffled within each; `stretch` (F,) says which
    of the S a frame is of."""
    mixed = torch.rand(len(orders), len(stretch), generator=generator).argsort(1)
    places = orders.argsort(1).gather(1, stretch[mixed])
    return mixed.gather(1, places.argsort(dim=1, stable=True))


def order_of_steps(steps: Tensor, frames: Tensor, orders: Tensor, distance: Distance, gamma: float) -> Tensor:
    """Cross-entropy of frames (F, C) as they come among the same frames in `orders` (N, F), by their softened
    distances to the steps (S, C) that they show one after the other."""
    every = with_own(orders).to(frames.device)
    costs = cosine_distances(steps, frames)[:, every]
    return first_of_all(costs.transpose(0, 1)[None], distance, gamma)[0]

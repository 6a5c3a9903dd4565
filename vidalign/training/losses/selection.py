"""The sentences of a batch that fit their best second best are those that can be seen (TAN, CVPR 2022)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vidalign.training.losses.nce import MASKED


def best_scores(own: Tensor, seconds: Tensor) -> Tensor:
    """Each sentence's highest logit: (B, T, N), `seconds` (B, T) True where real -> (B, N)."""
    return own.float().masked_fill(~seconds[:, :, None], MASKED).amax(1)


def standardise(values: Tensor) -> Tensor:
    """Zero mean, unit (unbiased) deviation; zeros where all are equal or there is one."""
    centred = values - values.mean()
    if values.numel() < 2:
        return centred
    return centred / values.std().clamp(min=1e-6)


def best_share(scores: Sequence[Tensor], sentences: Tensor, share: float) -> Tensor:
    """(B, N) bool: the `share` of the real sentences with the highest sum of standardised scores.

    `scores` are (B, N), one for every encoder; `sentences` (B, N) True where real.
    """
    total = torch.stack([standardise(one[sentences]) for one in scores]).sum(0)
    kept = torch.zeros_like(sentences)
    kept[sentences] = -total <= torch.quantile(-total, share)
    return kept

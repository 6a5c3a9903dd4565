"""Multi-positive InfoNCE between seconds and sentences (TAN, CVPR 2022; in the form of MIL-NCE, CVPR 2020).

Shapes: B windows, L encoder stages, T seconds, N sentences. Masks say what is real, never what is padding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Quirk = Literal["reference", "corrected"]
"""A behaviour of the published code: as it is there, or as it was meant."""

MASKED = -6e4
"""A logit that takes no part: finite, so that gradients of fully masked rows stay finite."""


def positive_seconds(start: Tensor, end: Tensor, seconds: Tensor, sentences: Tensor) -> Tensor:
    """(B, T, N) bool: the real seconds t of real sentences with start <= t < end.

    `start`, `end` (B, N) in seconds of the window; `seconds` (B, T), `sentences` (B, N) are True where real.
    """
    t = torch.arange(seconds.shape[1], device=start.device)[None, :, None]
    spoken = (start[:, None] <= t) & (t < end[:, None])
    return spoken & seconds[:, :, None] & sentences[:, None]


def own_window(logits: Tensor) -> Tensor:
    """Of logits between all windows (B, L, T, B, N) those inside each window (B, L, T, N)."""
    if logits.dim() == 4:
        return logits
    return logits.diagonal(dim1=0, dim2=3).permute(3, 0, 1, 2)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `values` where `mask`, 0 where that is nowhere; `mask` is broadcast to `values`."""
    mask = mask.expand_as(values)
    return torch.where(mask, values, 0).sum() / mask.sum().clamp(min=1)


@dataclass(frozen=True, slots=True)
class Contrast:
    """-log of the share that positives have: of each second (B, L, T), of each sentence (B, L, N)."""

    seconds: Tensor
    sentences: Tensor

    def mean(self, counted: Tensor) -> Tensor:
        """The loss over the pairs in `counted` (B, T, N): both directions, rows and columns that have one."""
        to_text = masked_mean(self.seconds, counted.any(2)[:, None])
        to_video = masked_mean(self.sentences, counted.any(1)[:, None])
        return (to_text + to_video) / 2


def contrast(logits: Tensor, positive: Tensor, seconds: Tensor, sentences: Tensor) -> Contrast:
    """The terms of InfoNCE on every stage.

    `logits` are cosines over temperature: (B, L, T, B, N), where all windows of the batch give negatives, or
    (B, L, T, N), where only the same window does. `positive` (B, T, N); `seconds` (B, T) and `sentences`
    (B, N) are what may be a negative.
    """
    logits = logits.float()
    own = own_window(logits)
    matched = own.masked_fill(~positive[:, None], MASKED)
    if logits.dim() == 4:
        everything = own.masked_fill(~(seconds[:, None, :, None] & sentences[:, None, None]), MASKED)
        of_seconds, of_sentences = everything.logsumexp(3), everything.logsumexp(2)
    else:
        real = seconds[:, None, :, None, None] & sentences
        everything = logits.masked_fill(~real, MASKED)
        of_seconds = everything.logsumexp((3, 4))
        of_sentences = everything.logsumexp((0, 2)).transpose(0, 1)
    return Contrast(of_seconds - matched.logsumexp(3), of_sentences - matched.logsumexp(2))

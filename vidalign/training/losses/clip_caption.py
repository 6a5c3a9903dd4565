"""The contrast of clips and captions (VideoCLIP, Xu et al., EMNLP 2021)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def clip_caption(scores: Tensor, targets: Tensor | None = None) -> Tensor:
    """Cross-entropy of N clips among N captions plus that of captions among clips, of scores (N, N).

    `targets` (N, N), rows of which sum to 1, are the shares of the captions in a clip; by default each has
    its own.
    """
    if targets is None:
        targets = torch.eye(len(scores), dtype=scores.dtype, device=scores.device)
    return F.cross_entropy(scores, targets) + F.cross_entropy(scores.T, targets.T)


def top_share(scores: Tensor) -> Tensor:
    """Share of N clips whose own caption scores highest, of (N, N)."""
    own = torch.arange(len(scores), device=scores.device)
    return (scores.argmax(1) == own).float().mean()

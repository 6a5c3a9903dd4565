"""The two losses of temporally-sensitive pretraining (TSP, Alwassel et al., ICCV Workshops 2021)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

BACKGROUND = -1
"""The action label of a clip without action."""
REGIONS = ("Action", "No action")
"""The classes of the temporal region, in the order of the published heads."""


def labelled_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of logits (B, C) over the labels (B,) that are not BACKGROUND; 0 without any."""
    total = F.cross_entropy(logits, labels, ignore_index=BACKGROUND, reduction="sum")
    return total / (labels != BACKGROUND).sum().clamp(min=1)


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of the labels (B,) that are not BACKGROUND whose logit is the largest; NaN without any."""
    known = labels != BACKGROUND
    right = (logits.argmax(dim=1) == labels) & known
    return torch.where(known.any(), right.sum() / known.sum().clamp(min=1), torch.nan)


def regions_of(labels: Tensor) -> Tensor:
    """Indices into REGIONS (B,) of action labels (B,)."""
    return (labels == BACKGROUND).long()

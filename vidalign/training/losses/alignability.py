"""The alignability head learns from labels that the encoders themselves give (TAN, CVPR 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vidalign.errors import DataError
from vidalign.training.losses.nce import Quirk, masked_mean

TRIMMED = 0.2
"""Sentences whose middle is in this share of the video at either end count as not alignable."""


@dataclass(frozen=True, slots=True)
class Labels:
    """`alignable` (B, N) bool where `known` (B, N)."""

    alignable: Tensor
    known: Tensor


def make_labels(scores: Sequence[Tensor], sentences: Tensor, position: Tensor | None) -> Labels:
    """Alignable: above the median of the batch by every score; not: below by every; else unknown.

    `scores` are best logits (B, N) of each encoder, `sentences` (B, N) True where real. `position` (B, N, 2)
    is start and end as shares of the video: sentences at its ends are not alignable whatever their scores.
    """
    medians = [torch.quantile(one[sentences], 0.5) for one in scores]
    pairs = list(zip(scores, medians, strict=True))
    alignable = torch.stack([one > median for one, median in pairs]).all(0)
    unseen = torch.stack([one < median for one, median in pairs]).all(0)
    if position is not None:
        middle = position.mean(-1)
        trimmed = (middle < TRIMMED) | (middle > 1 - TRIMMED)
        alignable, unseen = alignable & ~trimmed, unseen | trimmed
    return Labels(alignable & sentences, (alignable | unseen) & sentences)


def head_loss(logits: Tensor, labels: Labels, learning: Tensor, quirk: Quirk) -> tuple[Tensor, Tensor]:
    """Balanced binary cross entropy of `logits` (B, N), and the share of right answers; both scalars.

    `learning` (B, N) are the sentences with a positive second. Corrected: the others have no label here, and
    a batch with only one kind of label gives 0. Reference: a labelled sentence without a positive second is
    refused by DataError, and a batch without an alignable one gives a loss that is not finite.
    """
    known, target = labels.known, labels.alignable.float()
    if quirk == "corrected":
        known = known & learning
    elif bool((known & ~learning).any()):
        raise DataError(
            "a sentence of the batch has no positive second, which the reference's head loss cannot take",
            hint="set head_labels: corrected",
        )
    share = masked_mean(target, known)
    right = masked_mean(((logits > 0) == labels.alignable).float(), known)
    weight = 1 / share - 1
    if quirk == "corrected":
        mixed = (share > 0) & (share < 1)
        known, weight = known & mixed, torch.where(mixed, weight, 1)
    each = F.binary_cross_entropy_with_logits(logits, target, pos_weight=weight, reduction="none")
    return masked_mean(each, known), right

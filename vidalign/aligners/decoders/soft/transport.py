"""Differentiable optimal transport with a bucket for what has no partner (Norton, ICLR 2024)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def sinkhorn_plan(
    similarity: Tensor,
    bucket: float | Tensor,
    row_padding: Tensor | None = None,
    column_padding: Tensor | None = None,
    *,
    epsilon: float = 0.1,
    iterations: int = 50,
) -> Tensor:
    """Similarities (B, K, T) -> plans (B, K + 1, T + 1), the buckets last, as `decoders.transport.sinkhorn`.

    Each sentence and each clip has mass 1, the buckets can take all. `bucket` is a number or (B,). Padding,
    True in masks (B, K) and (B, T), and NaN take no mass.
    """
    batch, rows, columns = similarity.shape
    real_rows, real_columns = _real(row_padding, similarity, rows), _real(column_padding, similarity, columns)
    level = torch.as_tensor(bucket, dtype=similarity.dtype, device=similarity.device).expand(batch)
    scores = torch.where(similarity.isnan(), -math.inf, similarity)
    scores = F.pad(scores, (0, 1, 0, 1)) / epsilon
    edge = torch.zeros(rows + 1, columns + 1, dtype=torch.bool, device=similarity.device)
    edge[-1], edge[:, -1] = True, True
    scores = torch.where(edge, level[:, None, None] / epsilon, scores)
    row_mass = torch.cat([real_rows, real_columns.sum(1, keepdim=True)], 1).log()
    column_mass = torch.cat([real_columns, real_rows.sum(1, keepdim=True)], 1).log()
    into_columns = torch.where(column_mass.isneginf(), -math.inf, 0.0).to(scores.dtype)
    into_rows = torch.zeros_like(row_mass)
    for _ in range(iterations):
        into_rows = row_mass - torch.logsumexp(scores + into_columns[:, None], 2)
        into_columns = column_mass - torch.logsumexp(scores + into_rows[:, :, None], 1)
    return torch.exp(scores + into_rows[:, :, None] + into_columns[:, None])


def prompt_bucket(similarity: Tensor, share: float = 0.3) -> Tensor:
    """Buckets (B,): of each matrix the cell that `share` of its scored cells do not reach, no gradient."""
    return torch.nanquantile(similarity.detach().flatten(1), share, dim=1, interpolation="lower")


def _real(padding: Tensor | None, similarity: Tensor, size: int) -> Tensor:
    """1 where there is something, 0 at padding (B, size)."""
    if padding is None:
        return similarity.new_ones(len(similarity), size)
    return (~padding).to(similarity.dtype)

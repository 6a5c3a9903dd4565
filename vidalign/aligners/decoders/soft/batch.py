"""Padded batches of cost matrices."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from vidalign.errors import DataError


def checked(cost: Tensor) -> Tensor:
    """Costs (B, K, T) with NaN, which cannot be matched, as inf; at least float32. Raises DataError."""
    if cost.ndim != 3 or not cost.shape[1] or not cost.shape[2]:
        raise DataError(f"costs have shape {tuple(cost.shape)}, not (batch, sentences, clips)")
    cost = cost.float() if cost.dtype in (torch.float16, torch.bfloat16) else cost
    return torch.where(cost.isnan(), math.inf, cost)


def lengths(cost: Tensor, row_padding: Tensor | None, column_padding: Tensor | None) -> tuple[Tensor, Tensor]:
    """Rows (B,) and columns (B,) before the padding, which is at the end and True in (B, K) and (B, T)."""
    found = []
    for padding, size in ((row_padding, cost.shape[1]), (column_padding, cost.shape[2])):
        if padding is None:
            found.append(torch.full((len(cost),), size, device=cost.device))
        elif padding.shape != (len(cost), size):
            raise DataError(f"a mask has shape {tuple(padding.shape)}, not {(len(cost), size)}")
        else:
            found.append((~padding.bool()).sum(1).to(cost.device))
    return found[0], found[1]


def with_border(cost: Tensor, rows: int = 1, columns: int = 1) -> Tensor:
    """Nodes before the first row and column, which nothing can match."""
    return F.pad(cost, (columns, 0, rows, 0), value=math.inf)


def by_row(values: float | Tensor, cost: Tensor) -> Tensor:
    """Costs (B, K + 1, T + 1) that hold for whole rows: a number, (K,) or (B, K)."""
    whole = torch.as_tensor(values, dtype=cost.dtype, device=cost.device).expand(cost.shape[:2])
    return F.pad(whole, (1, 0), value=math.inf)[:, :, None].expand(-1, -1, cost.shape[2] + 1)


def by_column(values: float | Tensor, cost: Tensor) -> Tensor:
    """Costs (B, K + 1, T + 1) that hold for whole columns: a number, (T,) or (B, T)."""
    return by_row(values, cost.mT).mT

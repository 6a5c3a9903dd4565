"""Soft OTAM (Cao et al., CVPR 2020), as TempCLR (ICLR 2023) trains with it."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from vidalign.aligners.decoders.soft.batch import checked, lengths
from vidalign.aligners.decoders.soft.lattice import Lattice, Move, path_costs

OTAM = Lattice(((Move(0, 1, 1, 0), Move(0, 1, 0, 1), Move(0, 0, 1, 0)),), first_column=True)
"""Columns before the first clip and after the last one cost nothing; plane 1 is for going down."""


def soft_otam(
    cost: Tensor,
    row_padding: Tensor | None = None,
    column_padding: Tensor | None = None,
    *,
    gamma: float = 0.1,
) -> Tensor:
    """Costs (B, K, T) -> softened distances (B,); gamma 0 gives `decoders.otam.otam`.

    Padding is True in masks (B, K) and (B, T).
    """
    cost = checked(cost)
    rows, columns = lengths(cost, row_padding, column_padding)
    column = torch.arange(cost.shape[2] + 2, device=cost.device)
    after = column == columns[:, None] + 1
    onward = F.pad(cost, (1, 1)).masked_fill(after[:, None], 0.0)
    onward = onward.masked_fill(column == 0, math.inf)
    down = onward.masked_fill(~(after | (column == 1))[:, None], math.inf)
    return path_costs(OTAM, [onward, down], rows - 1, columns + 1, gamma)[0]


def soft_otam_both(
    cost: Tensor,
    row_padding: Tensor | None = None,
    column_padding: Tensor | None = None,
    *,
    gamma: float = 0.1,
) -> Tensor:
    """The distances of sentences to clips plus those of clips to sentences."""
    return soft_otam(cost, row_padding, column_padding, gamma=gamma) + soft_otam(
        cost.mT, column_padding, row_padding, gamma=gamma
    )

"""Soft-DTW (Cuturi and Blondel, ICML 2017)."""

from __future__ import annotations

from torch import Tensor

from vidalign.aligners.decoders.soft.batch import checked, lengths, with_border
from vidalign.aligners.decoders.soft.lattice import Lattice, Move, path_costs

DTW = Lattice(((Move(0, 1, 1, 0), Move(0, 1, 0, 0), Move(0, 0, 1, 0)),))


def soft_dtw(
    cost: Tensor,
    row_padding: Tensor | None = None,
    column_padding: Tensor | None = None,
    *,
    gamma: float = 0.1,
) -> Tensor:
    """Costs (B, K, T) -> softened distances (B,); gamma 0 gives `decoders.dtw.dtw`.

    Padding is True in masks (B, K) and (B, T). The gradient is the expected path.
    """
    cost = checked(cost)
    rows, columns = lengths(cost, row_padding, column_padding)
    return path_costs(DTW, [with_border(cost)], rows, columns, gamma)[0]

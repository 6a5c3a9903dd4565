"""Soft ordered steps: every placing of the steps counts (the states of CrossTask, CVPR 2019)."""

from __future__ import annotations

from torch import Tensor

from vidalign.aligners.decoders.soft.batch import by_column, checked, lengths, with_border
from vidalign.aligners.decoders.soft.lattice import Lattice, Move, path_costs, softmin

STEP, REST = range(2)
"""States of a node (k, t): second t shows step k, or what comes between steps k and k + 1."""
MATCH, BACKGROUND = range(2)
"""Planes."""
_ENTER = (Move(REST, 1, 1, MATCH), Move(STEP, 1, 1, MATCH))
_REST = (Move(REST, 0, 1, BACKGROUND), Move(STEP, 0, 1, BACKGROUND))
ONE_SECOND = Lattice((_ENTER, _REST), start=REST)
RUNS = Lattice(((Move(STEP, 0, 1, MATCH), *_ENTER), _REST), start=REST)


def soft_steps(
    cost: Tensor,
    row_padding: Tensor | None = None,
    column_padding: Tensor | None = None,
    *,
    runs: bool = False,
    background: float | Tensor = 0.0,
    gamma: float = 0.1,
) -> Tensor:
    """Costs (B, K, T) -> softened costs (B,); gamma 0 gives `decoders.steps.ordered_steps`.

    `background` is a number, (T,) or (B, T). Padding is True in masks (B, K) and (B, T). inf where there
    are more steps than seconds.
    """
    cost = checked(cost)
    rows, columns = lengths(cost, row_padding, column_padding)
    planes = [with_border(cost), by_column(background, cost)]
    return softmin(path_costs(RUNS if runs else ONE_SECOND, planes, rows, columns, gamma), gamma)

"""Soft monotone placing of sentences with skips: every placing counts once."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vidalign.aligners.decoders.soft.batch import by_row, checked, lengths, with_border
from vidalign.aligners.decoders.soft.lattice import Lattice, Move, path_costs, softmin

ARRIVED, WAITING = range(2)
"""States of a node (k, t): sentence k was just placed at clip t or skipped, or clips have passed since."""
MATCH, SKIP, PASS = range(3)
"""Planes."""


def _lattice(distinct: bool) -> Lattice:
    arrive = (
        Move(WAITING, 1, 0, MATCH),
        *(() if distinct else (Move(ARRIVED, 1, 0, MATCH),)),
        Move(ARRIVED, 1, 0, SKIP),
    )
    return Lattice((arrive, (Move(ARRIVED, 0, 1, PASS), Move(WAITING, 0, 1, PASS))))


def soft_viterbi(
    cost: Tensor,
    skip: float | Tensor,
    row_padding: Tensor | None = None,
    column_padding: Tensor | None = None,
    *,
    distinct: bool = False,
    gamma: float = 0.1,
) -> Tensor:
    """Costs (B, K, T) -> softened costs (B,); gamma 0 gives `decoders.viterbi.viterbi`.

    `skip` is a number, (K,) or (B, K). Padding is True in masks (B, K) and (B, T). A prior is added to the
    costs, see `time_prior`.
    """
    cost = checked(cost)
    rows, columns = lengths(cost, row_padding, column_padding)
    free = torch.zeros_like(with_border(cost))
    free[:, :, 0] = math.inf
    planes = [with_border(cost), by_row(skip, cost), free]
    return softmin(path_costs(_lattice(distinct), planes, rows, columns, gamma), gamma)


def time_prior(expected: Tensor, at: Tensor, strength: float | Tensor) -> Tensor:
    """Costs (B, K, T): `strength` * |at - expected| of sentences (B, K) and clips (B, T); 0 where NaN."""
    return (strength * (at[:, None] - expected[:, :, None]).abs()).nan_to_num(nan=0.0)

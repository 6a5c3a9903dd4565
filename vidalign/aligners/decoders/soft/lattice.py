"""The softened cheapest path through a lattice of nodes, batched, an anti-diagonal of nodes at a time.

Every method of this package is such a lattice: a node (i, j) has states, a state is entered by moves. With
gamma > 0 all paths count, by -gamma * log(sum(exp(-cost / gamma))); with gamma = 0 only the cheapest does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Move(NamedTuple):
    """From state `source` of the node `down` rows up and `right` columns back, paying the plane's cost."""

    source: int
    down: int
    right: int
    plane: int


class Lattice(NamedTuple):
    """The moves into each state, and the state that paths start in: at (0, 0), or down the first column."""

    states: tuple[tuple[Move, ...], ...]
    start: int = 0
    first_column: bool = False


def path_costs(
    lattice: Lattice, planes: Sequence[Tensor], rows: Tensor, columns: Tensor, gamma: float
) -> Tensor:
    """Softened costs (S, B) of ending in each state at the nodes (rows[b], columns[b]).

    `planes` (B, n, m) are the costs of entering a node, inf where that cannot be.
    """
    scale = -1 / gamma if gamma else -1.0
    scores = torch.stack([skewed(plane * scale) for plane in planes])
    scores = scores.permute(3, 0, 2, 1).contiguous()
    apply: Callable[..., Tensor] = _Paths.apply
    return apply(scores, lattice, rows, columns, gamma == 0) / scale


def softmin(values: Tensor, gamma: float) -> Tensor:
    """Softened minimum over the first dimension."""
    return -gamma * torch.logsumexp(values / -gamma, 0) if gamma else values.amin(0)


def skewed(plane: Tensor) -> Tensor:
    """(B, n, m) -> (B, n, n + m - 1) with anti-diagonals as columns, -inf where there is no node."""
    rows, columns = plane.shape[-2:]
    wide = F.pad(plane, (0, rows), value=-math.inf).flatten(1)
    return wide[:, : rows * (rows + columns - 1)].view(len(plane), rows, -1)


class _Paths(torch.autograd.Function):
    """Scores (D, P, n, B) of the nodes of D anti-diagonals -> scores (S, B) at the end nodes."""

    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, lattice: Lattice, rows: Tensor, columns: Tensor, hard: bool
    ) -> Tensor:
        count, _, nodes, batch = scores.shape
        values = scores.new_full((count + 1, len(lattice.states), nodes + 1, batch), -math.inf)
        firsts = torch.arange(nodes if lattice.first_column else 1, device=scores.device)
        values[firsts + 1, lattice.start, firsts + 1] = 0
        shares: list[list[Tensor]] = []
        for d, low, high in _spans(scores, lattice):
            shares.append([])
            for state, moves in enumerate(lattice.states):
                ways = torch.stack([_before(values, d, m, low, high) for m in moves])
                one_plane = len({m.plane for m in moves}) == 1
                if not one_plane:
                    ways += torch.stack([scores[d, m.plane, low:high] for m in moves])
                best, parts = _best(ways) if hard else _soft_best(ways)
                if one_plane:
                    best += scores[d, moves[0].plane, low:high]
                values[d + 1, state, low + 1 : high + 1] = best
                if ctx.needs_input_grad[0]:
                    shares[-1].append(parts)
        ends = values[rows + columns + 1, :, rows + 1, torch.arange(batch, device=rows.device)].T.contiguous()
        ctx.save_for_backward(scores, rows, columns, ends.isneginf())
        ctx.lattice, ctx.shares, ctx.shape = lattice, shares, values.shape
        return ends

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None, None]:
        scores, rows, columns, nowhere = ctx.saved_tensors
        lattice: Lattice = ctx.lattice
        flow = scores.new_zeros(ctx.shape)
        index = torch.arange(len(rows), device=rows.device)
        flow[rows + columns + 1, :, rows + 1, index] = grads[0].masked_fill(nowhere, 0.0).T
        result = torch.zeros_like(scores)
        spans = list(_spans(scores, lattice))
        for (d, low, high), shares in zip(reversed(spans), reversed(ctx.shares), strict=True):
            for state, moves in enumerate(lattice.states):
                here = flow[d + 1, state, low + 1 : high + 1]
                parts = shares[state] * here
                for m, part in zip(moves, parts, strict=True):
                    _before(flow, d, m, low, high).add_(part)
                if len({m.plane for m in moves}) == 1:
                    result[d, moves[0].plane, low:high] += here
                    continue
                for m, part in zip(moves, parts, strict=True):
                    result[d, m.plane, low:high] += part
        return result, None, None, None, None


def _spans(scores: Tensor, lattice: Lattice) -> Iterator[tuple[int, int, int]]:
    """Anti-diagonal, first row and end of the rows of the nodes that moves lead to."""
    count, _, nodes, _ = scores.shape
    columns = count + 1 - nodes
    for d in range(1, count):
        yield d, max(0, d - columns + 1), min(nodes, d + (not lattice.first_column))


def _before(table: Tensor, d: int, move: Move, low: int, high: int) -> Tensor:
    """What a table (D + 1, S, n + 1, B) holds for the nodes that a move comes from."""
    at = d + 1 - move.down - move.right
    return table[at, move.source, low + 1 - move.down : high + 1 - move.down]


def _soft_best(ways: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithm of the sum of exponentials of M ways, and each one's share in it."""
    top = ways.amax(0).clamp_(min=torch.finfo(ways.dtype).min)
    parts = (ways - top).exp_()
    total = parts.sum(0)
    best = total.log() + top
    return best, parts.div_(total.clamp_(min=1))


def _best(ways: Tensor) -> tuple[Tensor, Tensor]:
    """The best of M ways, and 1 for the first that is."""
    best, index = ways.max(0)
    parts = torch.zeros_like(ways).scatter_(0, index[None], 1.0)
    return best, parts.masked_fill_(best.isneginf(), 0.0)

"""Dynamic time warping: every sentence and every clip takes part, in order (Sakoe and Chiba, 1978)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.decoders import fast
from vidalign.aligners.decoders.costs import Cost, Matrix, as_cost, distances
from vidalign.aligners.decoders.diagonals import diagonals
from vidalign.aligners.decoders.evidence import Decoded, Evidence, in_order
from vidalign.aligners.decoders.options import DtwOptions
from vidalign.aligners.decoders.paths import Path, along, path_of

UP, LEFT = 1, 2
"""Steps into a cell; 0 is the diagonal one, which wins ties, as UP does over LEFT."""


def decode(evidence: Evidence, options: DtwOptions) -> Decoded:
    """Each sentence among the clips that its part of the path goes through; none is dropped."""
    path = dtw_path(distances(in_order(evidence), must_pass=True))
    return along(path, evidence, options.segment)


def dtw(cost: Matrix | Cost, *, engine: fast.Engine = "auto") -> float:
    """The cost of the cheapest warping path from the first cell to the last, in O(K + T) memory.

    A path goes one row down, one column on, or both, and pays for every cell, NaN being impossible: inf
    where there is no path. Of no rows or columns: ValueError.
    """
    return _swept(as_cost(cost), None, engine)


def dtw_path(cost: Matrix | Cost, *, engine: fast.Engine = "auto") -> Path:
    """The cheapest warping path, in one byte a cell; empty where there is none."""
    cost = as_cost(cost)
    steps = np.empty(cost.shape, dtype=np.uint8)
    distance = _swept(cost, steps, engine)
    return path_of(distance, _back(steps) if distance < math.inf else [])


def _swept(cost: Cost, steps: NDArray[np.uint8] | None, engine: fast.Engine) -> float:
    if not cost.matrix.size:
        raise ValueError(f"a matrix of {cost.shape} has no path")
    kernel = fast.kernel("dtw", cost, engine)
    if kernel is not None:
        return float(kernel(*fast.arguments(cost), fast.table(steps)))
    return _by_diagonals(cost, steps)


def _by_diagonals(cost: Cost, steps: NDArray[np.uint8] | None) -> float:
    rows = cost.shape[0]
    lines = np.full((3, rows + 1), math.inf)
    lines[1, 0] = 0.0
    flags = np.empty((2, rows), dtype=np.bool_)
    table = None if steps is None else steps.reshape(-1)
    span = 0, 0
    for number, first, stop, costs, flat in diagonals(cost):
        if span != (first, stop):
            span = first, stop
            aboves, besides = lines[:, first:stop], lines[:, first + 1 : stop + 1]
            views = list(zip(aboves, besides, strict=True))
            up_wins, left_wins = flags[:, : stop - first]
            codes, lefts = up_wins.view(np.uint8), left_wins.view(np.uint8)
        diagonal, _ = views[(number + 1) % 3]
        up, left = views[(number + 2) % 3]
        _, best = views[number % 3]
        np.minimum(diagonal, up, out=best)
        if table is not None:
            np.less(up, diagonal, out=up_wins)
            np.less(left, best, out=left_wins)
            np.add(lefts, lefts, out=lefts)
            np.maximum(codes, lefts, out=table[flat])
        np.minimum(best, left, out=best)
        best += costs
        if number == 0:
            lines[1, 0] = math.inf
    return float(best[-1])


def _back(steps: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Cells from the last to the first."""
    i, j = steps.shape[0] - 1, steps.shape[1] - 1
    cells = [(i, j)]
    while i or j:
        step = steps[i, j]
        i, j = i - (step != LEFT), j - (step != UP)
        cells.append((i, j))
    return cells


def dtw_padded(
    distances: Matrix, rows: int, columns: int, *, reference: bool = False, engine: fast.Engine = "auto"
) -> float:
    """The distance of one matrix (K, T) of several, the largest of which have `rows` and `columns`.

    That they differ in size plays no part, unless it is to be as in TempCLR's evaluation (`reference`), which
    pads: see `padded_as_in_reference`.
    """
    if reference:
        distances = padded_as_in_reference(distances, rows, columns)
    return dtw(distances, engine=engine)


def padded_as_in_reference(distances: Matrix, rows: int, columns: int) -> Matrix:
    """Distances in a matrix of (rows, columns): infinite beside them, 0 beyond their last row and column.

    From the row before the last one the way to the corner leads past the last cell; and where no column is
    added the whole last row of distances becomes 0. So it is in TempCLR's evaluation.
    """
    down, right = rows - distances.shape[0], columns - distances.shape[1]
    padded = np.pad(distances, ((0, down), (0, right)), constant_values=math.inf)
    padded[-down - 1 :, -right if right else 0 :] = 0
    return padded

"""Every path of the sequence decoders on small matrices, one after the other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

Cells = list[tuple[int, int]]


def warpings(rows: int, columns: int) -> Iterator[Cells]:
    """Warping paths from the first cell to the last."""
    if (rows, columns) == (1, 1):
        yield [(0, 0)]
        return
    for down, right in ((1, 1), (1, 0), (0, 1)):
        if rows > down and columns > right:
            for path in warpings(rows - down, columns - right):
                yield [*path, (rows - 1, columns - 1)]


def ordered(rows: int, columns: int) -> Iterator[Cells]:
    """OTAM's: down the first column, then each column stays or goes one down; any beginning and end."""
    for first in range(rows):
        for begin in range(first + 1):
            for moves in itertools.product((0, 1), repeat=columns - 1):
                line = list(itertools.accumulate(moves, initial=first))
                if line[-1] < rows:
                    yield [(i, 0) for i in range(begin, first)] + list(zip(line, range(columns), strict=True))


def placings(rows: int, columns: int, *, distinct: bool) -> Iterator[Cells]:
    """Viterbi's: for some of the rows a column each, ascending."""
    for choice in itertools.product(range(-1, columns), repeat=rows):
        taken = [t for t in choice if t >= 0]
        steps = itertools.pairwise(taken)
        if all(b > a if distinct else b >= a for a, b in steps):
            yield [(k, t) for k, t in enumerate(choice) if t >= 0]


def runs(rows: int, columns: int, *, longest: int | None) -> Iterator[Cells]:
    """Every row's run of columns, in order and apart from each other."""
    for edges in itertools.combinations_with_replacement(range(columns + 1), 2 * rows):
        spans = list(zip(edges[::2], edges[1::2], strict=True))
        if all(0 < b - a <= (longest or columns) for a, b in spans):
            yield [(k, t) for k, (a, b) in enumerate(spans) for t in range(a, b)]


def subsets(rows: int, columns: int) -> Iterator[Cells]:
    """Drop-DTW's: the warpings of every choice of rows and columns; the first is of none."""
    yield []
    for k in kept(rows):
        for t in kept(columns):
            for path in warpings(len(k), len(t)):
                yield [(k[i], t[j]) for i, j in path]


def kept(count: int) -> list[tuple[int, ...]]:
    return [c for size in range(1, count + 1) for c in itertools.combinations(range(count), size)]


def cost_of(cost: np.ndarray, cells: Cells, rows: object = 0.0, columns: object = 0.0) -> float:
    """The cells' costs and those of the rows and columns that have none; NaN cannot be passed."""
    of_rows = np.broadcast_to(np.asarray(rows, dtype=float), cost.shape[:1])
    of_columns = np.broadcast_to(np.asarray(columns, dtype=float), cost.shape[1:])
    left_rows = sorted({*range(cost.shape[0])} - {i for i, _ in cells})
    left_columns = sorted({*range(cost.shape[1])} - {j for _, j in cells})
    values = [float(cost[cell]) for cell in cells]
    total = sum(math.inf if math.isnan(v) else v for v in values)
    return total + float(of_rows[left_rows].sum()) + float(of_columns[left_columns].sum())


def soft_sum(costs: list[float], gamma: float) -> float:
    """-gamma * log(sum(exp(-cost / gamma)))."""
    return float(-gamma * np.logaddexp.reduce(np.array(costs) / -gamma))


SIXTEENTHS = st.integers(-32, 64).map(lambda n: n / 16)
"""Numbers whose sums are exact."""


def matrices(largest: int = 4, *, holes: bool = False) -> st.SearchStrategy[np.ndarray]:
    """Small cost matrices; with holes, where nothing can be matched."""
    cells = st.one_of(SIXTEENTHS, SIXTEENTHS, SIXTEENTHS, st.just(math.nan)) if holes else SIXTEENTHS
    shapes = st.tuples(st.integers(1, largest), st.integers(1, largest))
    return shapes.flatmap(lambda shape: arrays(np.float64, shape, elements=cells))

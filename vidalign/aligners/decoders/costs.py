"""A matrix read as costs, a line at a time, so that no second one of its size is ever made."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.decoders.evidence import Evidence

Matrix = NDArray[np.floating]
_BLOCK = 1 << 22
"""Cells that are looked at together."""


@dataclass(frozen=True, slots=True, eq=False)
class Cost:
    """Costs (K, T) = `scale` * matrix + `offset` (+ `by_column` (T,)), `unscored` where the matrix is NaN."""

    matrix: Matrix
    scale: float = 1.0
    offset: float = 0.0
    unscored: float = math.inf
    by_column: NDArray[np.float64] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Sentences and clips."""
        rows, columns = self.matrix.shape
        return rows, columns

    @property
    def transposed(self) -> Cost:
        """Clips as rows; only without `by_column`."""
        assert self.by_column is None
        return replace(self, matrix=self.matrix.T)

    def read(self, values: Matrix, by_column: NDArray[np.float64] | float = 0.0) -> NDArray[np.float64]:
        """The costs that these values of the matrix stand for."""
        costs = np.multiply(values, self.scale, dtype=np.float64)
        costs += self.offset
        if self.by_column is not None:
            costs += by_column
        return np.fmin(costs, self.unscored, out=costs)

    def row(self, k: int) -> NDArray[np.float64]:
        """Costs (T,) of a sentence."""
        return self.read(self.matrix[k], 0.0 if self.by_column is None else self.by_column)

    def column(self, t: int) -> NDArray[np.float64]:
        """Costs (K,) of a clip."""
        return self.read(self.matrix[:, t], 0.0 if self.by_column is None else self.by_column[t])

    def cells(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Costs of these cells."""
        by_column = 0.0 if self.by_column is None else self.by_column[columns]
        return self.read(self.matrix[rows, columns], by_column)


def as_cost(cost: Matrix | Cost) -> Cost:
    """A matrix of costs, in which NaN is a cell that cannot be matched, as a `Cost`."""
    if isinstance(cost, Cost):
        return cost
    return Cost(cost if cost.dtype in (np.float32, np.float64) else cost.astype(np.float64))


def distances(evidence: Evidence, *, must_pass: bool) -> Cost:
    """1 - cosine, or the highest dot product minus the dot product.

    A path that `must_pass` through every row and column goes through as few unscored cells as it can; else
    these cannot be matched.
    """
    lowest, highest = (float(f.reduce(evidence.similarity, axis=None)) for f in (np.fmin, np.fmax))
    top = 1.0 if evidence.score == "cosine" else highest
    barrier = math.inf
    if must_pass:
        barrier = (1 + abs(top - lowest) + abs(top - highest)) * sum(evidence.similarity.shape)
    return Cost(evidence.similarity, scale=-1.0, offset=top, unscored=barrier)


def percentile(matrix: NDArray[np.floating], share: float) -> float:
    """The percentile `share` (0 to 100) of the cells that are not NaN, between neighbours linearly.

    A large float32 matrix is counted instead of sorted, in the memory of a few blocks; raises ValueError
    where every cell is NaN.
    """
    count = sum(int(np.count_nonzero(~np.isnan(block))) for block in _blocks(matrix))
    if not count:
        raise ValueError("a percentile of no cells")
    rank = (count - 1) * share / 100
    below, above = math.floor(rank), math.ceil(rank)
    if matrix.dtype != np.float32 or matrix.size <= _BLOCK:
        ordered = np.partition(matrix[~np.isnan(matrix)].astype(np.float64), (below, above))
        first, second = float(ordered[below]), float(ordered[above])
    else:
        first = _ranked(matrix, below)
        second = first if above == below else _ranked(matrix, above)
    return first + (rank - below) * (second - first)


def _ranked(matrix: NDArray[np.floating], rank: int) -> float:
    """The value with `rank` lower ones: the upper halves of all keys are counted first, then the lower."""
    upper, rank = _bin(matrix, rank, None)
    lower, _ = _bin(matrix, rank, upper)
    key = upper << 16 | lower
    bits = key ^ 0x80000000 if key & 0x80000000 else key ^ 0xFFFFFFFF
    return float(np.array(bits, dtype=np.uint32).view(np.float32))


def _bin(matrix: NDArray[np.floating], rank: int, upper: int | None) -> tuple[int, int]:
    """The half key of that rank, and the rank among those that share it."""
    counts = np.zeros(1 << 16, dtype=np.int64)
    for block in _blocks(matrix):
        keys = _keys(block[~np.isnan(block)])
        halves = keys >> 16 if upper is None else keys[keys >> 16 == upper] & 0xFFFF
        counts += np.bincount(halves.astype(np.int64), minlength=1 << 16)
    total = np.cumsum(counts)
    found = int(np.searchsorted(total, rank, side="right"))
    return found, rank - int(total[found] - counts[found])


def _keys(values: NDArray[np.floating]) -> NDArray[np.uint32]:
    """Integers in the order of these float32 numbers."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(0x80000000)).astype(np.uint32)


def _blocks(matrix: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    """The matrix in bands of rows."""
    rows = max(1, _BLOCK // max(1, matrix.shape[1]))
    return (matrix[i : i + rows] for i in range(0, len(matrix), rows))

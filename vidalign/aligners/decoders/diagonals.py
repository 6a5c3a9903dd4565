"""Anti-diagonals of a matrix of costs: the cells of one need only those of the two before."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.decoders.costs import Cost

Diagonal = tuple[int, int, int, NDArray[np.floating], slice]
"""Number, first row and end of rows, costs of the cells (i, number - i), where these lie in a flat matrix."""


def diagonals(cost: Cost) -> Iterator[Diagonal]:
    """All anti-diagonals of a matrix (K, T), from the first cell to the last."""
    rows, columns = cost.shape
    mirrored = cost.matrix[:, ::-1]
    by_column = None if cost.by_column is None else cost.by_column[::-1]
    plain = _plain(cost)
    stride = columns - 1
    for number in range(rows + columns - 1):
        first, stop = max(0, number - stride), min(rows, number + 1)
        values = mirrored.diagonal(stride - number)
        if not plain:
            shift = 0.0 if by_column is None else by_column[stride - number + first : stride - number + stop]
            values = cost.read(values, shift)
        start = first * stride + number
        flat = slice(start, start + (stop - first - 1) * stride + 1, max(1, stride))
        yield number, first, stop, values, flat


def _plain(cost: Cost) -> bool:
    """Whether the numbers of the matrix are the costs as they stand."""
    unchanged = (cost.scale, cost.offset) == (1.0, 0.0) and cost.by_column is None
    return unchanged and not math.isnan(float(cost.matrix.min(initial=math.inf)))

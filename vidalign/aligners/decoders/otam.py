"""Ordered temporal alignment (OTAM, Cao et al., CVPR 2020): every clip gets one sentence, ends are free.

Along the clips the sentence stays or moves on by one; the path may begin and end at any sentence.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.decoders import fast
from vidalign.aligners.decoders.costs import Cost, Matrix, as_cost, distances
from vidalign.aligners.decoders.evidence import Decoded, Evidence, in_order
from vidalign.aligners.decoders.options import OtamOptions
from vidalign.aligners.decoders.paths import Path, along, path_of

STAY, START, UP = 1, 2, 3
"""Steps into a cell; 0 comes from the sentence before. START and UP exist for the first clip only."""


def decode(evidence: Evidence, options: OtamOptions) -> Decoded:
    """Each sentence among the clips that are its; those before and after the path's have none."""
    path = otam_path(distances(in_order(evidence), must_pass=True))
    return along(path, evidence, options.segment)


def otam(cost: Matrix | Cost, *, reference: bool = False, engine: fast.Engine = "auto") -> float:
    """The cost of the cheapest path, in O(K + T) memory; of no rows or columns: ValueError.

    In the first clip, as before it and after the last, a path may also go down through sentences, which
    pays where costs are negative; TempCLR's evaluation (`reference`) subtracts there what it should add.
    """
    return _swept(as_cost(cost), None, reference, engine)[0]


def otam_path(cost: Matrix | Cost, *, engine: fast.Engine = "auto") -> Path:
    """The cheapest path, in one byte a cell."""
    cost = as_cost(cost)
    steps = np.empty(cost.shape, dtype=np.uint8)
    distance, end = _swept(cost, steps, False, engine)
    return path_of(distance, _back(steps, end) if distance < np.inf else [])


def otam_both(cost: Matrix | Cost, *, reference: bool = False, engine: fast.Engine = "auto") -> float:
    """The distance of sentences to clips plus that of clips to sentences, as TempCLR uses it."""
    cost = as_cost(cost)
    return otam(cost, reference=reference, engine=engine) + otam(
        cost.transposed, reference=reference, engine=engine
    )


def _swept(
    cost: Cost, steps: NDArray[np.uint8] | None, reference: bool, engine: fast.Engine
) -> tuple[float, int]:
    """The distance and the sentence that the path ends with."""
    if not cost.matrix.size:
        raise ValueError(f"a matrix of {cost.shape} has no path")
    kernel = fast.kernel("otam", cost, engine)
    last = np.empty(cost.shape[0])
    if kernel is not None:
        kernel(*fast.arguments(cost), reference, last, fast.table(steps))
    else:
        _by_columns(cost, steps, reference, last)
    end = int(np.argmin(last))
    return float(last[end]), end


def _by_columns(
    cost: Cost, steps: NDArray[np.uint8] | None, reference: bool, last: NDArray[np.float64]
) -> None:
    sign = -1.0 if reference else 1.0
    last[:] = list(accumulate(cost.column(0).tolist(), lambda above, here: here + sign * min(0.0, above)))
    if steps is not None:
        steps[:, 0] = START
        steps[1:, 0][last[:-1] < 0] = UP
    for t in range(1, cost.shape[1]):
        onward = last[:-1].copy()
        if steps is not None:
            steps[0, t] = STAY
            steps[1:, t] = last[1:] < onward
        np.minimum(onward, last[1:], out=last[1:])
        last += cost.column(t)


def _back(steps: NDArray[np.uint8], sentence: int) -> list[tuple[int, int]]:
    """Cells from the last to the first."""
    clip = steps.shape[1] - 1
    cells = [(sentence, clip)]
    while steps[sentence, clip] != START:
        step = steps[sentence, clip]
        sentence, clip = sentence - (step != STAY), clip - (step != UP)
        cells.append((sentence, clip))
    return cells

"""One clip a sentence, in order, each sentence skipped where that is cheaper (Viterbi over the clips)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.decoders.costs import Cost, Matrix, as_cost, distances
from vidalign.aligners.decoders.drop_dtw import drop_percentile
from vidalign.aligners.decoders.evidence import Decoded, Evidence, in_order
from vidalign.aligners.decoders.options import ViterbiOptions
from vidalign.aligners.decoders.paths import Path, around, path_of

ALONG, PLACED = 1, 2
"""The best place of a sentence up to a clip lies before the clip, or at it; 0: the sentence is skipped."""
MINUTE = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """What it costs to place sentence k at clip t: `strength` * |at[t] - expected[k]|, nothing where NaN."""

    expected: NDArray[np.float64]
    at: NDArray[np.float64]
    strength: float

    def row(self, k: int) -> NDArray[np.float64] | float:
        """Costs (T,) of a sentence."""
        if not self.strength or math.isnan(self.expected[k]):
            return 0.0
        return np.asarray(self.strength * np.abs(self.at - self.expected[k]))


def decode(evidence: Evidence, options: ViterbiOptions) -> Decoded:
    """Each sentence around its clip; skipped ones have none."""
    cost = distances(in_order(evidence), must_pass=False)
    prior = None
    if evidence.spoken is not None:
        middles = evidence.times.mean(axis=1)
        prior = Prior(evidence.spoken.mean(axis=1), middles, options.prior / MINUTE)
    skip = drop_percentile(cost, options.skip)
    path = viterbi_path(cost, skip, prior=prior, distinct=options.distinct)
    clips = np.full(len(evidence.similarity), -1)
    clips[path.rows] = path.columns
    return around(clips, evidence, evidence.similarity)


def viterbi(
    cost: Matrix | Cost,
    skip: float | NDArray[np.floating],
    *,
    prior: Prior | None = None,
    distinct: bool = False,
) -> float:
    """The cost of the cheapest placing, in O(K + T) memory.

    Sentences stay in order and may share a clip unless `distinct`; leaving one out costs `skip`, a number or
    (K,). NaN cells cannot be taken; inf where nothing is possible.
    """
    return _swept(as_cost(cost), skip, prior, distinct, None)


def viterbi_path(
    cost: Matrix | Cost,
    skip: float | NDArray[np.floating],
    *,
    prior: Prior | None = None,
    distinct: bool = False,
) -> Path:
    """The cheapest placing, in one byte a cell: the sentences that have a clip. The earliest of equals."""
    cost = as_cost(cost)
    steps = np.zeros(cost.shape, dtype=np.uint8)
    distance = _swept(cost, skip, prior, distinct, steps)
    return path_of(distance, _back(steps, distinct) if distance < math.inf else [])


def _swept(
    cost: Cost,
    skip: float | NDArray[np.floating],
    prior: Prior | None,
    distinct: bool,
    steps: NDArray[np.uint8] | None,
) -> float:
    rows, columns = cost.shape
    skips = np.broadcast_to(np.asarray(skip, dtype=np.float64), (rows,))
    so_far, before_all = np.zeros(columns), 0.0
    for k in range(rows):
        placed = cost.row(k) + (prior.row(k) if prior is not None else 0.0)
        placed += np.concatenate([[before_all], so_far[:-1]]) if distinct else so_far
        best = np.minimum.accumulate(placed)
        so_far = so_far + skips[k]
        before_all += float(skips[k])
        if steps is not None:
            steps[k] = ALONG
            steps[k, :1] = PLACED
            steps[k, 1:][placed[1:] < best[:-1]] = PLACED
            steps[k][so_far < best] = 0
        np.minimum(so_far, best, out=so_far)
    return float(so_far[-1]) if columns else before_all


def _back(steps: NDArray[np.uint8], distinct: bool) -> list[tuple[int, int]]:
    """Placed sentences from the last to the first."""
    t = steps.shape[1] - 1
    cells: list[tuple[int, int]] = []
    for k in range(len(steps) - 1, -1, -1):
        if t < 0 or not steps[k, t]:
            continue
        t = int(np.flatnonzero(steps[k, : t + 1] == PLACED)[-1])
        cells.append((k, t))
        t -= distinct
    return cells

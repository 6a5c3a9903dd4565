"""Ranks of the right answer among all, and what is read off them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

RankRule = Literal["fair", "reference"]

DEPTHS = (1, 5, 10)


class Ranks(NamedTuple):
    """For each of N queries: how many answers score `better` (N,) than the right one, how many `equal` (N,).

    The right one is among the equal.
    """

    better: NDArray[np.intp]
    equal: NDArray[np.intp]


def ranks_of(similarity: NDArray[np.floating]) -> Ranks:
    """Ranks of answer n to query n in (N, N)."""
    right = np.diagonal(similarity)[:, None]
    return Ranks((similarity > right).sum(axis=1), (similarity == right).sum(axis=1))


def retrieval_metrics(
    ranks: Ranks, rows: NDArray[np.intp] | None = None, rule: RankRule = "fair"
) -> dict[str, float]:
    """`recall_1`, `recall_5`, `recall_10` in [0, 1] and `median_rank` (from 1) over these rows.

    fair: equal answers come in random order; a query counts by its chance, and its rank is the mean one.
    reference: a query counts once for every equal answer, as in MIL-NCE's and TAN's code.
    """
    rows = np.arange(len(ranks.better)) if rows is None else rows
    better, equal = ranks.better[rows], ranks.equal[rows]
    within = {k: np.clip(k - better, 0, equal) for k in DEPTHS}
    if rule == "fair":
        recalls = {f"recall_{k}": float((hits / equal).mean()) for k, hits in within.items()}
        return {**recalls, "median_rank": float(np.median(better + (equal + 1) / 2))}
    recalls = {f"recall_{k}": float(hits.sum() / equal.sum()) for k, hits in within.items()}
    offsets = np.arange(equal.sum()) - np.repeat(np.cumsum(equal) - equal, equal)
    return {**recalls, "median_rank": float(np.median(np.repeat(better, equal) + offsets) + 1)}

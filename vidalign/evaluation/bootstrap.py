"""How sure a number is: percentile bootstrap over videos (Efron, 1979)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95

Statistic = Callable[[NDArray[np.intp]], Mapping[str, float]]
"""Rows, some of them several times, to named numbers; NaN where one cannot be had."""


class Estimate(NamedTuple):
    """A number and its 95 % interval; NaN where there is none."""

    value: float
    low: float
    high: float


def estimate(
    statistic: Statistic, groups: NDArray[np.intp], *, resamples: int = 1000, seed: int = 0
) -> dict[str, Estimate]:
    """Every number of `statistic` over all rows, with its interval.

    `groups` (N,) says which video a row belongs to; whole videos are drawn, with replacement. The same seed
    draws the same videos for every method, as long as they have the same ones.
    """
    values = statistic(np.arange(len(groups)))
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    generator = np.random.default_rng(seed)
    drawn: dict[str, list[float]] = {name: [] for name in values}
    for _ in range(resamples if len(members) > 1 else 0):
        chosen = generator.integers(len(members), size=len(members))
        for name, value in statistic(np.concatenate([members[k] for k in chosen])).items():
            drawn[name].append(value)
    return {name: Estimate(value, *_interval(drawn[name])) for name, value in values.items()}


def _interval(values: list[float]) -> tuple[float, float]:
    known = np.array(values)[~np.isnan(values)] if values else np.empty(0)
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)

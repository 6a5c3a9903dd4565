"""Ordered steps: every step is placed once, in order, among seconds of background (CrossTask, CVPR 2019).

In a second there is background or a step: states background, 1, background, 2, ..., K, background.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.decoders.costs import Cost, Matrix, as_cost, distances
from vidalign.aligners.decoders.evidence import Decoded, Evidence, in_order
from vidalign.aligners.decoders.options import StepsOptions
from vidalign.aligners.decoders.paths import Path, along, around, path_of
from vidalign.errors import DataError

AFTER_STEP, RUN, STEP_ENDS = 1, 2, 4
"""A step comes after the step before, or goes on (0: after background); the background after it begins."""


def decode(evidence: Evidence, options: StepsOptions) -> Decoded:
    """Every step at its second, or, with runs, at the best of its seconds; none is dropped."""
    cost = step_costs(in_order(evidence), softmax=options.cost == "softmax")
    path = ordered_steps(cost, runs=options.runs, background=options.background)
    if options.runs:
        return along(path, evidence, "path")
    return around(path.columns, evidence, evidence.similarity)


def step_costs(evidence: Evidence, *, softmax: bool) -> Cost:
    """Minus the log-softmax over the steps of similarity / temperature, or a distance."""
    cost = distances(evidence, must_pass=True)
    if not softmax:
        return cost
    scaled = np.full(evidence.similarity.shape[1], -math.inf)
    for row in evidence.similarity:
        values = row.astype(np.float64) / evidence.temperature
        np.logaddexp(scaled, np.where(np.isnan(values), -math.inf, values), out=scaled)
    by_column = np.where(np.isinf(scaled), 0.0, scaled)
    reach = np.fmax.reduce(evidence.similarity, axis=None) - np.fmin.reduce(evidence.similarity, axis=None)
    barrier = (1 + math.log(len(evidence.similarity)) + float(reach) / evidence.temperature) * sum(cost.shape)
    return Cost(evidence.similarity, -1 / evidence.temperature, 0.0, barrier, by_column)


def ordered_steps(cost: Matrix | Cost, *, runs: bool = False, background: float = 0.0) -> Path:
    """The cheapest placing of K steps in T seconds, exactly one second each, or with `runs` one or more.

    `background` is the cost of a second without a step. One byte a cell. Raises DataError where there are
    more steps than seconds; of infinite cost: no cells.
    """
    cost = as_cost(cost)
    rows, columns = cost.shape
    if rows > columns:
        raise DataError(f"{rows} steps do not fit into {columns} seconds", hint="give fewer steps")
    came = np.zeros((columns, rows), dtype=np.uint8)
    step, rest = np.full(rows, math.inf), np.full(rows + 1, math.inf)
    rest[0] = 0.0
    for t in range(columns):
        before = np.concatenate([[math.inf], step[:-1]])
        byte = came[t]
        now = rest[:-1].copy()
        if runs:
            byte[rest[:-1] < step] = 0
            now = np.minimum(step, rest[:-1])
            byte[step <= rest[:-1]] = RUN
        byte[before < now] = AFTER_STEP
        now = np.minimum(now, before)
        byte += (step < rest[1:]).view(np.uint8) * np.uint8(STEP_ENDS)
        rest[1:] = np.minimum(rest[1:], step)
        rest += background
        step = now + cost.column(t)
    distance = float(min(rest[-1], step[-1]))
    return path_of(distance, _back(came, bool(step[-1] < rest[-1])) if distance < math.inf else [])


def _back(came: NDArray[np.uint8], in_step: bool) -> list[tuple[int, int]]:
    """Seconds of steps from the last to the first."""
    t, k = len(came) - 1, came.shape[1] - 1
    cells: list[tuple[int, int]] = []
    while k >= 0:
        byte = came[t, k]
        if not in_step:
            in_step = bool(byte & STEP_ENDS)
        else:
            cells.append((k, t))
            in_step = bool(byte & (AFTER_STEP | RUN))
            k -= not byte & RUN
        t -= 1
    return cells

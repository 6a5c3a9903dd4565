"""The recursions cell by cell, written for numba; without it numpy does the same along lines of cells.

Costs are `scale * matrix + offset`, `unscored` where NaN; a table of no rows asks for the distance alone.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def dtw(
    matrix: NDArray[np.floating], scale: float, offset: float, unscored: float, steps: NDArray[np.uint8]
) -> float:
    """`dtw.dtw`: 0 diagonal, 1 up, 2 left."""
    rows, columns = matrix.shape
    line = np.full(columns, math.inf)
    for i in range(rows):
        diagonal = 0.0 if i == 0 else math.inf
        left = math.inf
        for j in range(columns):
            cost = scale * matrix[i, j] + offset
            if math.isnan(cost):
                cost = unscored
            up = line[j]
            best = up if up < diagonal else diagonal
            if len(steps):
                steps[i, j] = 2 if left < best else 1 if up < diagonal else 0
            left = (left if left < best else best) + cost
            line[j] = left
            diagonal = up
    return float(line[columns - 1])


def otam(
    matrix: NDArray[np.floating],
    scale: float,
    offset: float,
    unscored: float,
    reference: bool,
    last: NDArray[np.float64],
    steps: NDArray[np.uint8],
) -> None:
    """`otam.otam`: fills the costs (K,) of ending at each sentence; the steps are those named there."""
    rows, columns = matrix.shape
    line = np.full(columns, math.inf)
    sign = -1.0 if reference else 1.0
    for i in range(rows):
        left = diagonal = math.inf
        for j in range(columns):
            cost = scale * matrix[i, j] + offset
            if math.isnan(cost):
                cost = unscored
            above = line[j]
            if j == 0:
                step = 3 if above < 0.0 else 2
                left = cost + sign * min(0.0, above)
            else:
                step = 1 if left < diagonal else 0
                left = (left if left < diagonal else diagonal) + cost
            if len(steps):
                steps[i, j] = step
            line[j] = left
            diagonal = above
        last[i] = left


def drop_dtw(
    matrix: NDArray[np.floating],
    scale: float,
    offset: float,
    unscored: float,
    sentences: NDArray[np.float64],
    clips: NDArray[np.float64],
    choices: NDArray[np.uint8],
) -> float:
    """`drop_dtw.drop_dtw`: the bits of a choice are those named there; nodes (K + 1, T + 1)."""
    rows, columns = matrix.shape
    above_any = np.full(columns + 1, math.inf)
    above_kept = np.full(columns + 1, math.inf)
    for i in range(rows + 1):
        diagonal = kept_sentence = dropped_sentence = math.inf
        for j in range(columns + 1):
            up, both, step = above_kept[j], math.inf, 0
            if i and j:
                cost = scale * matrix[i - 1, j - 1] + offset
                if math.isnan(cost):
                    cost = unscored
                best = up if up < diagonal else diagonal
                step = 2 if kept_sentence < best else 1 if up < diagonal else 0
                both = (kept_sentence if kept_sentence < best else best) + cost
            clip_dropped = clips[j - 1] + kept_sentence if j else math.inf
            sentence_dropped = sentences[i - 1] + up if i else math.inf if j else 0.0
            neither = clips[j - 1] + dropped_sentence if j else math.inf
            kept_sentence = clip_dropped if clip_dropped < both else both
            kept_clip = sentence_dropped if sentence_dropped < both else both
            dropped_sentence = neither if neither < sentence_dropped else sentence_dropped
            diagonal = above_any[j]
            above_kept[j] = kept_clip
            later = dropped_sentence < kept_sentence
            above_any[j] = dropped_sentence if later else kept_sentence
            if len(choices):
                step += 4 if clip_dropped < both else 0
                step += 8 if sentence_dropped < both else 0
                step += 16 if neither < sentence_dropped else 0
                choices[i, j] = step + 32 if later else step
    return float(above_any[columns])

"""A model's calibration, fitted on sentences of which it is known whether they can be seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vidalign.errors import DataError
from vidalign.weights.cards import Calibration

PENALTY = 1e-4
"""Weight of a^2 + b^2 beside the mean cross entropy: keeps both finite where the classes do not overlap."""

_THRESHOLDS = np.round(np.arange(0.2, 0.801, 0.01), 2)
_STEPS, _SMALLEST = 100, 1e-10


def fit_calibration(scores: ArrayLike, labels: ArrayLike, fitted_on: str) -> Calibration:
    """Logistic regression of labels (N,) on raw scores (N,), and the threshold with the fewest wrong labels.

    Of equally good thresholds in [0.2, 0.8] it is the middle one. Sentences without a score (NaN) are left
    out. Raises DataError unless there are sentences of both kinds.
    """
    x, y = np.asarray(scores, np.float64), np.asarray(labels, bool)
    x, y = x[np.isfinite(x)], y[np.isfinite(x)]
    if not y.any() or y.all():
        raise DataError(
            f"nothing to calibrate on: {int(y.sum())} of {len(y)} scored sentences are alignable",
            hint="sentences of both kinds are needed",
        )
    a, b = (round(float(value), 4) for value in _logistic(x, y))
    right = ((_sigmoid(a * x + b)[:, None] >= _THRESHOLDS) == y[:, None]).mean(axis=0)
    best = _THRESHOLDS[right == right.max()]
    threshold = float(best[np.abs(best - np.median(best)).argmin()])
    return Calibration(a, b, threshold, fitted_on)


def _logistic(x: NDArray[np.float64], y: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(a, b) of the smallest penalised cross entropy, by Newton's method with halved steps."""
    design = np.stack([x, np.ones_like(x)], axis=1)
    weights = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        p = _sigmoid(design @ weights)
        slope = design.T @ (p - y) / len(x) + 2 * PENALTY * weights
        bend = (design * (p * (1 - p))[:, None]).T @ design / len(x) + 2 * PENALTY * np.eye(2)
        step = np.linalg.solve(bend, slope)
        size, here = 1.0, _cost(design, y, weights)
        while size > _SMALLEST and _cost(design, y, weights - size * step) > here:
            size /= 2
        weights = weights - size * step
        if np.abs(size * step).max() < _SMALLEST:
            break
    return weights


def _cost(design: NDArray[np.float64], y: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
    logits = design @ weights
    return float((np.logaddexp(0, logits) - y * logits).mean() + PENALTY * (weights**2).sum())


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), dtype=np.float64)

"""Numbers that say how good an alignment is; pure functions of arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def roc_auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve of scores (N,) for labels (N,); ties count half. NaN with one class only."""
    positive = np.asarray(labels, dtype=bool)
    values = np.asarray(scores, dtype=np.float64)
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    hits, misses = int(positive.sum()), int((~positive).sum())
    if not hits or not misses:
        return float("nan")
    return float((ranks[positive].sum() - hits * (hits + 1) / 2) / (hits * misses))


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    """Sum of precision times gain of recall over the thresholds, highest first; NaN without a positive.

    Equal scores (N,) are one threshold, so the order of ties plays no part.
    """
    positive = np.asarray(labels, dtype=bool)
    values = np.asarray(scores, dtype=np.float64)
    if not positive.any():
        return float("nan")
    order = np.argsort(-values, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))
    found = np.cumsum(positive[order])[ends]
    gains = np.diff(found, prepend=0)
    return float((gains * (found / (ends + 1))).sum() / positive.sum())


def calibration_error(labels: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> float:
    """Expected calibration error: |share of positives - mean probability| over equal bins of [0, 1].

    The bins are weighted by their numbers (Naeini et al., AAAI 2015). NaN for no values.
    """
    positive = np.asarray(labels, dtype=np.float64)
    values = np.asarray(probabilities, dtype=np.float64)
    if not len(values):
        return float("nan")
    index = np.minimum((values * bins).astype(np.intp), bins - 1)
    gaps = np.bincount(index, positive - values, minlength=bins)
    return float(np.abs(gaps).sum() / len(values))


def f1(labels: ArrayLike, said: ArrayLike) -> float:
    """Harmonic mean of precision and recall of what is `said` (N,) bool; NaN where nothing is, nor true."""
    positive, chosen = np.asarray(labels, dtype=bool), np.asarray(said, dtype=bool)
    both, either = int((positive & chosen).sum()), int(positive.sum() + chosen.sum())
    return 2 * both / either if either else float("nan")


def interval_iou(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Intersection over union of intervals (N, 2) and (N, 2) in seconds, row by row; 0 where one is NaN."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    overlap = np.minimum(a[:, 1], b[:, 1]) - np.maximum(a[:, 0], b[:, 0])
    union = np.maximum(a[:, 1], b[:, 1]) - np.minimum(a[:, 0], b[:, 0])
    with np.errstate(invalid="ignore", divide="ignore"):
        iou = np.clip(overlap, 0, None) / union
    return np.asarray(np.nan_to_num(iou, nan=0.0), dtype=np.float64)

"""From scores to what is reported: alignability, its kind, labels and confidence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.scores import Scores
from vidalign.types import AlignabilityKind
from vidalign.weights.cards import Calibration

DEFAULT_THRESHOLD = 0.5


def threshold_of(calibration: Calibration | None, given: float | None, *, drops: bool = False) -> float:
    """The threshold that holds: the one given, else the calibration's, else the default.

    A decoder that drops sentences decides by itself what is aligned, unless a threshold is given.
    """
    if given is not None:
        return given
    if drops:
        return 0.0
    return calibration.threshold if calibration is not None else DEFAULT_THRESHOLD


class Alignability(NamedTuple):
    """Values (K,) in [0, 1] and where they come from."""

    values: NDArray[np.float32]
    kind: AlignabilityKind


def prominence(similarity: NDArray[np.float32]) -> NDArray[np.float64]:
    """Best similarity of each row minus the row's median (K,); NaN for rows without a scored cell."""
    result = np.full(len(similarity), np.nan)
    scored = ~np.isnan(similarity).all(axis=1)
    rows = similarity[scored].astype(np.float64)
    result[scored] = np.nanmax(rows, axis=1) - np.nanmedian(rows, axis=1) if len(rows) else 0.0
    return result


def raw_score(scores: Scores) -> NDArray[np.float64]:
    """What a calibration reads (K,): the head's logit, else the prominence; NaN where nothing was scored."""
    return scores.head.astype(np.float64) if scores.head is not None else prominence(scores.similarity)


def alignability(scores: Scores, calibration: Calibration | None) -> Alignability:
    """sigmoid(a * score + b), the score being the head's logit, else the prominence.

    Without a calibration: the logit's plain sigmoid, else the rank within the video. No score gives 0.
    """
    score = raw_score(scores)
    kind: AlignabilityKind
    if calibration is not None:
        values, kind = _sigmoid(calibration.a * score + calibration.b), "calibrated"
    elif scores.head is not None:
        values, kind = _sigmoid(score), "head"
    else:
        values, kind = _ranks(score), "rank"
    return Alignability(np.nan_to_num(values, nan=0.0).astype(np.float32), kind)


def confidence(
    similarity: NDArray[np.float32],
    times: NDArray[np.float64],
    segments: NDArray[np.float64],
    temperature: float,
) -> NDArray[np.float32]:
    """Softmax mass (K,) of each row, over its scored cells, of the clips whose middle lies in the segment."""
    result = np.zeros(len(similarity), dtype=np.float32)
    middles = times.mean(axis=1) if len(times) else np.zeros(0)
    for row, (values, (start, end)) in enumerate(zip(similarity, segments, strict=True)):
        if np.isnan(start) or np.isnan(values).all():
            continue
        mass = np.exp((values.astype(np.float64) - np.nanmax(values)) / temperature)
        mass = np.nan_to_num(mass, nan=0.0)
        inside = (middles >= start) & (middles <= end)
        result[row] = min(1.0, mass[inside].sum() / mass.sum())
    return result


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), dtype=np.float64)


def _ranks(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the scored sentences that score lower, ties half: (rank - 0.5) / n."""
    ranks = np.full(len(score), np.nan)
    scored = ~np.isnan(score)
    _, inverse, counts = np.unique(score[scored], return_inverse=True, return_counts=True)
    ranks[scored] = (np.cumsum(counts) - counts / 2)[inverse] / max(1, scored.sum())
    return ranks

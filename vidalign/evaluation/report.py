"""The numbers of one method over a set of videos, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidalign.evaluation.bootstrap import Estimate, estimate
from vidalign.evaluation.metrics import average_precision, calibration_error, roc_auc
from vidalign.evaluation.prediction import Judged

NAN = float("nan")

METRICS = ("recall", "auc", "average_precision", "timing_error", "iou", "calibration_error")


@dataclass(frozen=True, slots=True)
class Method:
    """What was evaluated: `kind` is alignments, model or baseline."""

    name: str
    kind: str
    protocol: str
    windowing: str | None = None
    encoders: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A method's numbers over `videos` videos with `sentences` sentences, `alignable` of which can be seen.

    `metrics` are those of `measure`, NaN where unknown.
    """

    method: Method
    videos: int
    sentences: int
    alignable: int
    metrics: Mapping[str, Estimate]


def report(method: Method, judged: Judged | None, *, resamples: int = 1000, seed: int = 0) -> Report:
    """Measure all sentences of all videos together; None: there were none."""
    if judged is None:
        return Report(method, 0, 0, 0, dict.fromkeys(METRICS, Estimate(NAN, NAN, NAN)))
    return Report(
        method=method,
        videos=len(np.unique(judged.video)),
        sentences=len(judged.labels),
        alignable=int(judged.labels.sum()),
        metrics=estimate(lambda rows: measure(judged, rows), judged.video, resamples=resamples, seed=seed),
    )


def measure(judged: Judged, rows: NDArray[np.intp] | None = None) -> dict[str, float]:
    """The metrics of these rows (default: all); NaN where the method or the rows cannot tell.

    Over alignable sentences: `recall` (R@1, share of peaks in the true interval), `timing_error` (seconds
    between the middles of segment and true interval), `iou` (mean, 0 where the sentence was not aligned).
    Over all: `auc` (area under the ROC curve), `average_precision`, `calibration_error` of alignability.
    """
    rows = np.arange(len(judged.labels)) if rows is None else rows
    labels = judged.labels[rows]
    seen = rows[labels]
    scores, probabilities = judged.scores, judged.probabilities
    return {
        "recall": _mean(judged.hits[seen]),
        "auc": NAN if scores is None else roc_auc(labels, scores[rows]),
        "average_precision": NAN if scores is None else average_precision(labels, scores[rows]),
        "timing_error": _mean(judged.errors[seen]),
        "iou": _mean(judged.ious[seen]),
        "calibration_error": NAN if probabilities is None else calibration_error(labels, probabilities[rows]),
    }


def _mean(values: NDArray[np.bool_] | NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else NAN

"""The numbers of one method over a set of videos, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidalign.evaluation.bootstrap import Estimate, estimate
from vidalign.evaluation.metrics import average_precision, calibration_error, f1, roc_auc
from vidalign.evaluation.prediction import Judged

NAN = float("nan")

METRICS = (
    *("recall", "auc", "average_precision", "timing_error", "iou", "calibration_error"),
    *("label_accuracy", "label_f1"),
)


@dataclass(frozen=True, slots=True)
class Method:
    """What was evaluated: `kind` is alignments, model or baseline."""

    name: str
    kind: str
    protocol: str
    windowing: str | None = None
    encoders: str | None = None
    decoder: str | None = None


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
    between the middles of segment and true interval, of those that have a place), `iou` (mean, 0 where the
    sentence was not aligned). Over all: `auc` (area under the ROC curve), `average_precision`,
    `calibration_error` of alignability; `label_accuracy` and `label_f1` of what is called aligned.
    """
    rows = np.arange(len(judged.labels)) if rows is None else rows
    labels = judged.labels[rows]
    seen, errors = rows[labels], judged.errors[rows[labels]]
    scores, probabilities = judged.scores, judged.probabilities
    return {
        "recall": _mean(judged.hits[seen]),
        "auc": NAN if scores is None else roc_auc(labels, scores[rows]),
        "average_precision": NAN if scores is None else average_precision(labels, scores[rows]),
        "timing_error": _mean(errors[~np.isnan(errors)]),
        "iou": _mean(judged.ious[seen]),
        "calibration_error": NAN if probabilities is None else calibration_error(labels, probabilities[rows]),
        "label_accuracy": NAN if scores is None else _mean(labels == judged.aligned[rows]),
        "label_f1": NAN if scores is None else f1(labels, judged.aligned[rows]),
    }


def _mean(values: NDArray[np.bool_] | NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else NAN

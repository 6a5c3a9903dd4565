"""The HTM-Align protocol (Han et al., CVPR 2022): R@1 of alignable sentences, ROC-AUC of alignability."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, floor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.windowing import Stitcher, Window, plan_htm_align
from vidalign.evaluation.metrics import roc_auc

Annotation = Mapping[str, Sequence[Sequence[Any]]]
"""Video -> list of [alignable, start, end, text]; times in seconds."""


class WindowScores(NamedTuple):
    """Joint and dual similarity (k, w) and, with a head, alignability logits (k,) of one window."""

    joint: NDArray[np.floating]
    dual: NDArray[np.floating]
    head: NDArray[np.floating] | None


class VideoScores(NamedTuple):
    """One video's best second (K,) and alignability score (K,)."""

    best: NDArray[np.intp]
    alignability: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HtmAlignResult:
    """Pooled over all videos: recall at 1, area under the ROC curve, and labels and scores by sentence."""

    recall: float
    auc: float
    labels: tuple[int, ...]
    scores: tuple[float, ...]


def evaluate(
    annotation: Annotation, seconds: Mapping[str, int], model: Callable[[str, Window], WindowScores]
) -> HtmAlignResult:
    """Run `model(video, window)` over every window of every video; `seconds` gives each video's length."""
    hits: list[bool] = []
    labels: list[int] = []
    scores: list[float] = []
    for video, rows in annotation.items():
        found = score_video(rows, seconds[video], partial(model, video))
        for row, best, score in zip(rows, found.best, found.alignability, strict=True):
            labels.append(int(row[0]))
            scores.append(float(score))
            if row[0]:
                hits.append(floor(row[1]) <= best <= ceil(row[2]))
    return HtmAlignResult(float(np.mean(hits)), roc_auc(labels, scores), tuple(labels), tuple(scores))


def score_video(
    rows: Sequence[Sequence[Any]], seconds: int, model: Callable[[Window], WindowScores]
) -> VideoScores:
    """Stitch one video's windows; a cell without score counts as the worst, a sentence without any as 0."""
    mids = np.array([(row[1] + row[2]) / 2 for row in rows])
    joint, dual = Stitcher(len(rows), seconds), Stitcher(len(rows), seconds)
    logits: list[list[float]] = [[] for _ in rows]
    for window in plan_htm_align(seconds, mids, [bool(row[0]) for row in rows]):
        found = model(window)
        joint.add(window, found.joint)
        dual.add(window, found.dual)
        if found.head is not None:
            for sentence, logit in zip(window.sentences, found.head, strict=True):
                logits[sentence].append(float(logit))
    similarity = np.nan_to_num((joint.mean() + dual.mean()) / 2, nan=-6e4)
    if any(logits):
        alignability = np.array([np.mean(values) if values else 0.0 for values in logits])
    else:
        alignability = similarity.max(axis=1).astype(np.float64)
    return VideoScores(similarity.argmax(axis=1), alignability)

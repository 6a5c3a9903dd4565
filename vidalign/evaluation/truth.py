"""One alignment against its truth in HTM-Align's form, one row a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidalign.errors import DataError
from vidalign.evaluation.metrics import interval_iou
from vidalign.types import Alignment


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What an alignment is worth, by sentence.

    `alignable` and `labelled_right` (K,) bool. Of the A alignable ones: `hit` (A,), whether the peak lies in
    the true interval; `found` (A,), whether the sentence was aligned; `iou` (A,) of its segment, and
    `window_iou` (A,) of a window of its own duration around the peak, both 0 where it was not aligned.
    """

    alignable: NDArray[np.bool_]
    labelled_right: NDArray[np.bool_]
    hit: NDArray[np.bool_]
    found: NDArray[np.bool_]
    iou: NDArray[np.float64]
    window_iou: NDArray[np.float64]

    @property
    def recall(self) -> float:
        """R@1: share of alignable sentences whose peak lies in the true interval."""
        return _mean(self.hit.tolist())

    @property
    def label_accuracy(self) -> float:
        """Share of sentences labelled right."""
        return _mean(self.labelled_right.tolist())


def judge(alignment: Alignment, truth: Sequence[Sequence[Any]]) -> Judgement:
    """Hold an alignment with its matrix against rows [alignable, start, end, text], one a sentence.

    A peak hits as in HTM-Align: floor(start) <= second <= ceil(end). Raises DataError if they do not fit.
    """
    if len(truth) != len(alignment.sentences):
        raise DataError(f"the truth has {len(truth)} rows for {len(alignment.sentences)} sentences")
    if alignment.similarity is None or alignment.times is None:
        raise DataError(
            "the alignment was written without its matrix", hint="make it again without --no-matrix"
        )
    alignable = np.array([bool(row[0]) for row in truth])
    chosen = np.flatnonzero(alignable)
    true = np.array([[row[1], row[2]] for row in truth], dtype=np.float64).reshape(-1, 2)
    rows = np.nan_to_num(alignment.similarity[chosen], nan=-np.inf)
    best = alignment.times[rows.argmax(axis=1)]
    hit = np.array(
        [
            floor(start) <= int(second) <= ceil(end)
            for second, (start, end) in zip(best[:, 0], true[chosen], strict=True)
        ],
        dtype=bool,
    )
    hit &= np.isfinite(rows).any(axis=1)
    return Judgement(
        alignable=alignable,
        labelled_right=alignment.aligned == alignable,
        hit=hit,
        found=alignment.aligned[chosen],
        iou=interval_iou(alignment.segments[chosen], true[chosen]),
        window_iou=interval_iou(_windows(alignment, chosen, best.mean(axis=1)), true[chosen]),
    )


def spoken_recall(truth: Sequence[Sequence[Any]], times: Sequence[tuple[float, float]]) -> float:
    """R@1 of the subtitle times (start, end) as they stand: the middle's second against the true interval."""
    hits = [
        floor(row[1]) <= floor((start + end) / 2) <= ceil(row[2])
        for row, (start, end) in zip(truth, times, strict=True)
        if row[0]
    ]
    return _mean(hits)


def _mean(values: Iterable[bool]) -> float:
    """NaN for no values."""
    listed = list(values)
    return sum(listed) / len(listed) if listed else float("nan")


def _windows(
    alignment: Alignment, chosen: NDArray[np.intp], peaks: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The sentence's own duration around its peak, NaN where it is not aligned or has no time."""
    windows = np.full((len(chosen), 2), np.nan)
    for row, (index, peak) in enumerate(zip(chosen, peaks, strict=True)):
        sentence = alignment.sentences[index]
        if alignment.aligned[index] and sentence.start is not None and sentence.end is not None:
            half = (sentence.end - sentence.start) / 2
            windows[row] = peak - half, peak + half
    return windows

"""Metrics against numbers worked out by hand, and against their slow definitions on random input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidalign.evaluation.metrics import average_precision, calibration_error, interval_iou, roc_auc

PAIRS = st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=12)


def test_roc_auc_counts_pairs_and_ties_half() -> None:
    labels, scores = [1, 0, 1, 0, 0], [0.9, 0.9, 0.4, 0.1, 0.6]
    pairs = [(1.0 if p > n else 0.5 if p == n else 0.0) for p in (0.9, 0.4) for n in (0.9, 0.1, 0.6)]
    assert roc_auc(labels, scores) == pytest.approx(np.mean(pairs))
    assert np.isnan(roc_auc([1, 1], [0.1, 0.2]))


@given(PAIRS)
def test_roc_auc_is_the_share_of_pairs(pairs: list[tuple[bool, int]]) -> None:
    hits = [score for label, score in pairs if label]
    misses = [score for label, score in pairs if not label]
    wins = [(h > m) + (h == m) / 2 for h in hits for m in misses]
    found = roc_auc([p[0] for p in pairs], [p[1] for p in pairs])
    assert found == pytest.approx(np.mean(wins)) if wins else np.isnan(found)


def test_average_precision_by_hand() -> None:
    # from the top: hit (1/1), miss, hit (2/3), miss, hit (3/5)
    labels, scores = [1, 0, 1, 0, 1], [9, 8, 7, 6, 5]
    assert average_precision(labels, scores) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert average_precision([0, 1, 1], [1, 2, 3]) == 1.0
    # one threshold takes the tied hit and miss together
    assert average_precision([1, 0], [5, 5]) == pytest.approx(0.5)
    assert np.isnan(average_precision([0, 0], [1, 2]))


@given(PAIRS)
def test_average_precision_is_precision_times_gain_of_recall(pairs: list[tuple[bool, int]]) -> None:
    labels = np.array([p[0] for p in pairs])
    scores = np.array([p[1] for p in pairs])
    if not labels.any():
        return
    total, recall = 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        taken = labels[scores >= threshold]
        now = taken.sum() / labels.sum()
        total += (now - recall) * taken.mean()
        recall = now
    assert average_precision(labels, scores) == pytest.approx(total)


def test_calibration_error_by_hand() -> None:
    # bin [0.2, 0.3): two of mean 0.25, one positive -> gap 0.25; last bin: one of 1.0, positive -> gap 0
    assert calibration_error([1, 0, 1], [0.24, 0.26, 1.0]) == pytest.approx(2 / 3 * 0.25)
    assert calibration_error([1, 0], [0.9, 0.1]) == pytest.approx(0.1)
    assert np.isnan(calibration_error([], []))


def test_interval_iou() -> None:
    found = interval_iou([[0, 4], [0, 1], [np.nan, np.nan]], [[2, 6], [5, 6], [0, 1]])
    assert found.tolist() == pytest.approx([2 / 6, 0, 0])

from __future__ import annotations

import numpy as np
import pytest

from vidalign.aligners.calibrate import alignability, confidence, prominence
from vidalign.aligners.scores import Scores
from vidalign.weights.cards import Calibration

NAN = np.nan


def scores(rows: list[list[float]], head: list[float] | None = None) -> Scores:
    logits = None if head is None else np.array(head, dtype=np.float32)
    return Scores(np.array(rows, dtype=np.float32), logits, {})


def test_a_calibration_applies_to_the_head_s_logit() -> None:
    found = alignability(scores([[0.0]], [2.0]), Calibration(a=3.0, b=-5.0, threshold=0.5, fitted_on="x"))
    assert found.kind == "calibrated"
    assert found.values.tolist() == pytest.approx([1 / (1 + np.exp(-1))])


def test_without_head_the_best_minus_the_median_is_calibrated() -> None:
    rows = [[0.0, 0.2, 1.0, NAN]]
    assert prominence(np.array(rows, dtype=np.float32)).tolist() == pytest.approx([0.8])
    found = alignability(scores(rows), Calibration(a=10.0, b=-8.0, threshold=0.5, fitted_on="x"))
    assert found.values.tolist() == pytest.approx([0.5], abs=1e-6)


def test_a_head_without_calibration_is_its_sigmoid() -> None:
    found = alignability(scores([[0.0], [0.0]], [0.0, NAN]), None)
    assert (found.kind, found.values.tolist()) == ("head", [0.5, 0.0])


def test_else_the_rank_within_the_video_with_ties_shared() -> None:
    found = alignability(scores([[0, 0, 1.0], [0, 0, 3.0], [0, 0, 1.0], [NAN] * 3]), None)
    assert found.kind == "rank"
    assert found.values.tolist() == pytest.approx([1 / 3, 2.5 / 3, 1 / 3, 0.0])


def test_confidence_is_the_softmax_mass_inside_the_segment() -> None:
    times = np.stack([np.arange(4.0), np.arange(1, 5.0)], axis=1)
    rows = np.array([[0.0, 0.7, 0.7, NAN], [0.1, 0.2, 0.3, 0.4]], dtype=np.float32)
    found = confidence(rows, times, np.array([[1.0, 3.0], [NAN, NAN]]), temperature=0.07)
    assert found.tolist() == pytest.approx([2 / (2 + np.exp(-10)), 0.0], abs=1e-6)

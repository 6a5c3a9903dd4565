"""Calibration: the fit recovers what drew the labels, and settles where classes do not overlap."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vidalign.errors import DataError
from vidalign.evaluation.calibration import PENALTY, fit_calibration


def drawn(a: float, b: float, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(5)
    scores = generator.normal(0, 2, count)
    return scores, generator.random(count) < 1 / (1 + np.exp(-(a * scores + b)))


def test_it_finds_the_numbers_that_drew_the_labels() -> None:
    found = fit_calibration(*drawn(1.5, -0.8), "drawn")
    assert found.a == pytest.approx(1.5, abs=0.12)
    assert found.b == pytest.approx(-0.8, abs=0.12)
    assert found.threshold == pytest.approx(0.5, abs=0.12)
    assert found.fitted_on == "drawn"


def test_it_is_the_minimum_of_the_penalised_cross_entropy() -> None:
    scores, labels = drawn(0.7, 0.4, 200)
    x, y = torch.from_numpy(scores), torch.from_numpy(labels).double()
    weights = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = F.binary_cross_entropy_with_logits(weights[0] * x + weights[1], y)
        loss = loss + PENALTY * weights.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    found = fit_calibration(scores, labels, "")
    assert [found.a, found.b] == pytest.approx(weights.tolist(), abs=1e-3)


@pytest.mark.parametrize("shift", [0.0, 300.0, -300.0])
def test_apart_classes_give_finite_numbers_and_right_labels(shift: float) -> None:
    scores = np.array([-3.0, -2.0, 2.0, 3.0]) + shift
    found = fit_calibration(scores, [False, False, True, True], "")
    assert np.isfinite([found.a, found.b]).all() and found.a > 0
    if not shift:
        assert found.threshold == pytest.approx(0.5, abs=0.01)


def test_sentences_without_a_score_are_left_out() -> None:
    scores, labels = drawn(1.0, 0.0, 50)
    more = np.concatenate([scores, [np.nan, np.nan]]), np.concatenate([labels, [True, False]])
    assert fit_calibration(*more, "") == fit_calibration(scores, labels, "")


@pytest.mark.parametrize("labels", [[True, True, False], [False, False, False], []])
def test_one_kind_alone_is_refused(labels: list[bool]) -> None:
    scores = [1.0, 2.0, float("nan")][: len(labels)]
    with pytest.raises(DataError, match="nothing to calibrate on"):
        fit_calibration(scores, labels, "")

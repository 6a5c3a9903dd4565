from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from vidalign.evaluation.bootstrap import Estimate, estimate


def mean_of(values: NDArray[np.float64]) -> dict[str, float]:
    return {"mean": float(values.mean()) if len(values) else float("nan")}


def test_the_interval_is_that_of_a_mean_over_videos() -> None:
    values = np.random.default_rng(0).normal(5, 2, size=400)
    found = estimate(lambda rows: mean_of(values[rows]), np.arange(400), resamples=2000)["mean"]
    error = values.std() / 20
    assert found.value == values.mean()
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=error / 4)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=error / 4)


def test_whole_videos_are_drawn() -> None:
    """Sentences of a video go together, so many equal ones make nobody surer."""
    videos = np.repeat(np.arange(10), 50)
    values = (videos % 2).astype(float)
    by_video = estimate(lambda rows: mean_of(values[rows]), videos)["mean"]
    by_sentence = estimate(lambda rows: mean_of(values[rows]), np.arange(500))["mean"]
    assert by_video.value == by_sentence.value == 0.5
    assert by_video.high - by_video.low > 4 * (by_sentence.high - by_sentence.low)


def test_a_seed_gives_the_same_interval_and_another_another() -> None:
    values = np.random.default_rng(1).normal(size=30)
    first, again, other = (
        estimate(lambda rows: mean_of(values[rows]), np.arange(30), resamples=200, seed=seed)["mean"]
        for seed in (3, 3, 4)
    )
    assert first == again != other


def test_what_cannot_be_had_is_nan_and_spoils_nothing() -> None:
    labels = np.array([True, False, False])

    def statistic(rows: NDArray[np.intp]) -> dict[str, float]:
        return mean_of(np.ones(len(rows))[labels[rows]])

    assert estimate(statistic, np.arange(3), resamples=50)["mean"] == Estimate(1.0, 1.0, 1.0)
    one = estimate(statistic, np.zeros(3, dtype=np.intp), resamples=50)["mean"]
    assert one.value == 1.0 and np.isnan(one.low)
    none = estimate(statistic, np.arange(3), resamples=0)["mean"]
    assert none.value == 1.0 and np.isnan(none.high)

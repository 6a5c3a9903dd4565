"""What is particular to decord: times in single precision, and disagreement with the container."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from vidalign.video.decord import DecordReader, DecordTroubleError, exact
from vidalign.video.look import Look, look


@pytest.fixture
def seen(make_sample: Callable[[str], Any]) -> Look:
    return look(make_sample("ntsc_h264").path)


def rounded(times: Any) -> Any:
    return np.asarray(times, np.float32).astype(np.float64)


def test_short_videos_are_exact_whatever_their_rate(seen: Look) -> None:
    ticks = np.cumsum(np.random.default_rng(0).integers(500, 3000, 200)) - 500
    ticks[0] = 0
    assert exact(rounded(ticks / 30000), seen).tolist() == (ticks / 30000).tolist()


def test_milliseconds_are_exact_for_hours(seen: Look) -> None:
    matroska = replace(seen, time_base=Fraction(1, 1000))
    ticks = np.arange(0, 7_000_000, 777)
    assert exact(rounded(ticks / 1000), matroska).tolist() == (ticks / 1000).tolist()


def test_a_constant_rate_is_exact_for_hours(seen: Look) -> None:
    times = np.arange(108_000) * 1001 / 30000
    assert np.abs(rounded(times) - times).max() > 5e-5
    assert np.abs(exact(rounded(times), seen) - times).max() < 1e-9


def test_a_long_video_of_varying_rate_is_refused(seen: Look) -> None:
    times = np.arange(108_000) * 1001 / 30000
    times[50_000:] += 0.01
    with pytest.raises(DecordTroubleError, match="varies"):
        exact(rounded(times), seen)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"samples": 44}, "it counts 45 pictures, the container 44"),
        ({"rate": Fraction(25)}, "another picture stream"),
        ({"width": 66}, "shape"),
    ],
)
def test_disagreement_with_the_container(seen: Look, change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DecordTroubleError, match=complaint):
        DecordReader(replace(seen, **change), reason="a test")

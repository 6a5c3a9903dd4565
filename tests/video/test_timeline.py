"""Presentation times become intervals."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial

import numpy as np
import pytest

from vidalign.video.protocol import AS_IT_IS, Frame, Pixels, Scaling
from vidalign.video.timeline import Picture, Stamped, delivered, lay_out, shown_at


def picture(scalings: Collection[Scaling]) -> Mapping[Scaling, Pixels]:
    return {scaling: np.zeros((1, 1, 3), np.uint8) for scaling in scalings}


def at(pictures: list[Picture], times: Iterable[float]) -> list[Frame | None]:
    return list(shown_at(partial(delivered, pictures), times, AS_IT_IS))


def stamped(*times: float | None, duration: float | None = 0.1) -> Iterator[Stamped]:
    for time in times:
        yield Stamped(time, duration, picture)


def laid(
    *times: float | None, duration: float | None = 0.1, claimed: float | None = None
) -> list[list[float]]:
    pictures = lay_out(stamped(*times, duration=duration), 0.04, claimed)
    return [[round(p.start, 6), round(p.end, 6)] for p in pictures]


def test_a_picture_is_shown_until_the_next() -> None:
    assert laid(0.0, 0.1, 0.5, 0.55) == [[0, 0.1], [0.1, 0.5], [0.5, 0.55], [0.55, 0.65]]


def test_without_a_duration_the_last_lasts_a_frame() -> None:
    assert laid(0.0, 0.1, duration=None) == [[0, 0.1], [0.1, 0.14]]


@pytest.mark.parametrize(
    ("claimed", "end"), [(0.25, 0.25), (0.12, 0.12), (5.0, 0.2), (0.05, 0.2), (None, 0.2)]
)
def test_the_last_ends_where_the_container_says_if_that_is_near(claimed: float | None, end: float) -> None:
    assert laid(0.0, 0.1, claimed=claimed)[-1] == [0.1, end]


def test_hidden_before_second_zero() -> None:
    assert laid(-0.2, -0.1, 0.0, 0.1) == [[0, 0.1], [0.1, 0.2]]
    assert laid(-0.15, -0.05, 0.05) == [[0, 0.05], [0.05, 0.15]]


def test_unknown_times_follow_on() -> None:
    assert laid(0.0, None, None, 0.3) == [[0, 0.1], [0.1, 0.2], [0.2, 0.3], [0.3, 0.4]]


def test_of_two_pictures_at_one_time_the_second_is_shown() -> None:
    assert laid(0.0, 0.1, 0.1, 0.2) == [[0, 0.1], [0.1, 0.2], [0.2, 0.3]]


def test_a_picture_that_comes_too_late_is_left_out() -> None:
    assert laid(0.0, 0.2, 0.1, 0.3) == [[0, 0.2], [0.2, 0.3], [0.3, 0.4]]


def test_a_clock_that_jumps_back_is_read_on(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="vidalign.video"):
        assert laid(9.0, 9.1, 0.0, 0.1) == [[9.0, 9.1], [9.1, 9.2], [9.2, 9.3], [9.3, 9.4]]
    assert "jumps back" in caplog.text


def test_nothing_decoded_nothing_shown() -> None:
    assert laid() == []
    assert at([], [0.0, 1.0]) == []


def test_shown_at_ends_with_the_last_picture_and_reads_no_further_times() -> None:
    asked: list[float] = []

    def times() -> Iterator[float]:
        time = -0.5
        while True:
            asked.append(time)
            yield time
            time += 0.25

    pictures = [Picture(0.0, 0.5, picture), Picture(0.5, 1.0, picture)]
    shown = at(pictures, times())
    assert [frame and frame.start for frame in shown] == [None, None, 0.0, 0.0, 0.5, 0.5]
    assert asked[-1] == 1.0


def test_float_noise_at_borders_is_forgiven() -> None:
    pictures = [Picture(0.0, 0.1, picture), Picture(0.1, 0.2, picture)]
    shown = at(pictures, [-5e-7, 0.1 - 5e-7, 0.1, 0.2 - 5e-7])
    assert [frame and frame.start for frame in shown] == [0.0, 0.1, 0.1]

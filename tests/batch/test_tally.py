"""How far a batch is, by the length of its videos."""

from __future__ import annotations

import pytest

from vidalign.batch.report import ItemResult, Status
from vidalign.batch.tally import Tally


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def ended(name: str, status: Status = "done") -> ItemResult:
    return ItemResult(name, status, name)


def test_rate_and_time_left_go_by_the_length_of_videos() -> None:
    clock = Clock()
    tally = Tally(4, clock=clock)
    assert tally.as_json() == {"videos": 0, "of": 4, "seconds": 0, "rate": None, "left": None, "failed": 0}
    assert tally.expected is None
    tally.begin("long")(30.0, 60.0)
    tally.begin("short")(5.0, 20.0)
    clock.now += 7
    assert (tally.seconds, tally.expected) == (35.0, 160.0)
    assert tally.as_json() == {"videos": 0, "of": 4, "seconds": 35, "rate": 5.0, "left": 25.0, "failed": 0}
    tally.end(ended("short"))
    assert (tally.seconds, tally.expected) == (50.0, 160.0)
    assert str(tally) == "1 of 4 videos, 7.14 times real time, 0 failed"


def test_a_failure_counts_as_far_as_it_came_and_what_was_done_before_not_at_all() -> None:
    clock = Clock()
    tally = Tally(3, clock=clock)
    tally.end(ended("before", "skipped"))
    clock.now += 1000
    tally.begin("bad")(4.0, 60.0)
    tally.begin("good")(0.0, 10.0)
    clock.now += 2
    tally.end(ended("bad", "failed"))
    tally.end(ended("good"))
    told = tally.as_json()
    assert (told["videos"], told["failed"], told["seconds"], told["rate"]) == (3, 1, 14.0, 7.0)
    assert told["left"] == 0.0


def test_several_outputs_are_one_video() -> None:
    tally = Tally(2, outputs=2)
    tally.begin("a")(3.0, 3.0)
    tally.end(ended("a"))
    assert tally.as_json()["videos"] == 0
    tally.end(ended("a"))
    assert tally.as_json()["videos"] == 1
    assert tally.seconds == pytest.approx(3.0)


def test_an_update_that_comes_late_changes_nothing() -> None:
    tally = Tally(1)
    late = tally.begin("a")
    late(1.0, 2.0)
    tally.end(ended("a"))
    late(1.5, 2.0)
    assert tally.seconds == 2.0

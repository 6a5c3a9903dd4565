from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from vidalign.errors import ConfigError
from vidalign.synthetic.lexicon import ACTIONS, COLOURS, SHAPES
from vidalign.synthetic.settings import MAX_SECONDS, MIN_SECONDS, WorldSettings
from vidalign.synthetic.world import Plan, plan_video

SETTINGS = WorldSettings(seconds=60)


def plan(seed: int) -> Plan:
    return plan_video("video", Random(seed), SETTINGS)


def test_the_world_is_rich_enough() -> None:
    assert min(len(COLOURS), len(SHAPES), len(ACTIONS)) >= 8


@pytest.mark.parametrize("seed", range(10))
def test_shots_cover_every_frame_once(seed: int) -> None:
    shots = plan(seed).shots
    borders = [(shot.start, shot.end) for shot in shots]
    assert borders[0][0] == 0
    assert borders[-1][1] == SETTINGS.frames
    assert all(before[1] == after[0] for before, after in pairwise(borders))
    assert all(start < end for start, end in borders)


@pytest.mark.parametrize("seed", range(10))
def test_steps_are_apart_and_as_long_as_asked(seed: int) -> None:
    steps = plan(seed).steps
    shortest, longest = (seconds * SETTINGS.fps for seconds in SETTINGS.step_seconds)
    assert steps
    assert all(shortest <= step.end - step.start <= longest for step in steps)
    assert all(a.end <= b.start for a, b in pairwise(steps))
    assert len({step.kind for step in steps}) == len(steps)


def test_every_step_is_shown_by_its_shots() -> None:
    drawn = plan(3)
    for index, step in enumerate(drawn.steps):
        shots = [shot for shot in drawn.shots if shot.step == index]
        assert (shots[0].start, shots[-1].end) == (step.start, step.end)


def test_same_random_same_plan() -> None:
    assert plan(1) == plan(1)
    assert plan(1) != plan(2)


@pytest.mark.parametrize("seconds", [0, MIN_SECONDS - 1, MAX_SECONDS + 1, float("nan"), float("inf")])
def test_odd_lengths_are_refused(seconds: float) -> None:
    with pytest.raises(ConfigError, match=f"lasts {MIN_SECONDS} to {MAX_SECONDS} seconds"):
        WorldSettings(seconds=seconds)


def test_the_longest_video_never_runs_out_of_steps() -> None:
    shortest = SETTINGS.step_seconds[0]
    assert MAX_SECONDS / shortest < len(COLOURS) * len(SHAPES) * len(ACTIONS)

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from vidalign.errors import ConfigError
from vidalign.synthetic.generate import Sample, draw_sample
from vidalign.synthetic.narration import share_in_place
from vidalign.synthetic.settings import LEVELS, WorldSettings, as_knobs, make_settings, read_knobs


def draw(level: str, videos: int = 30) -> list[Sample]:
    return [draw_sample(9, index, LEVELS[level]) for index in range(videos)]


@pytest.mark.parametrize("level", ["published", "hard"])
def test_three_in_ten_can_be_seen_and_half_of_them_in_time(level: str) -> None:
    samples = draw(level)
    alignable = mean(mean(row.alignable for row in sample.truth) for sample in samples)
    well_timed = alignable * mean(share_in_place(sample.plan, sample.narration) for sample in samples)
    assert alignable == pytest.approx(0.30, abs=0.03)
    assert well_timed == pytest.approx(0.15, abs=0.03)


@pytest.mark.parametrize("level", ["default", "published", "hard"])
def test_only_the_hard_level_shows_a_step_again(level: str) -> None:
    again = sum(step.again for sample in draw(level) for step in sample.plan.steps)
    assert (again > 30) == (level == "hard")
    for sample in draw(level, 10):
        kinds = [step.kind for step in sample.plan.steps]
        assert (len(kinds) - len(set(kinds)) > 0) == any(step.again for step in sample.plan.steps)
        assert all(a.kind != b.kind for a, b in zip(sample.plan.steps, sample.plan.steps[1:], strict=False))


@pytest.mark.parametrize("level", LEVELS)
def test_knobs_go_through_yaml_and_back(level: str) -> None:
    assert make_settings(as_knobs(LEVELS[level])) == LEVELS[level]


def test_a_file_changes_a_level(tmp_path: Path) -> None:
    path = tmp_path / "world.yaml"
    path.write_text("level: hard\nseconds: 60\nstep_seconds: [5, 6]\nrolling: true\n")
    wanted = replace(LEVELS["hard"], seconds=60.0, step_seconds=(5, 6), rolling=True)
    assert make_settings(read_knobs(path)) == wanted


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"level": "easy"}, "no level 'easy'"),
        ({"drifft": 1}, "unknown knob 'drifft'"),
        ({"drift": "far"}, "drift: 'far' is not like 0.0"),
        ({"rolling": 1}, "rolling: 1 is not like False"),
        ({"fps": 12.5}, "fps: 12.5 is not like 12"),
        ({"late": 3}, "late: 3 is not like"),
        ({"late": [3, 1]}, r"late: \[low, high\] is expected, not \[3, 1\]"),
        ({"veil_share": 1.5}, "veil_share: 1.5 is not between 0 and 1"),
        ({"noise": -1}, "noise: -1 is not between 0 and inf"),
        ({"drift": float("nan")}, "drift: nan is not"),
        ({"width": 161}, "even numbers"),
        ({"step_seconds": [1, 2]}, "steps last at least 3 s"),
    ],
)
def test_odd_knobs_are_named(knobs: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_settings(knobs)


@pytest.mark.parametrize("content", ["- 1", "a: [", "just words", ""])
def test_files_that_are_no_settings_are_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "world.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"world\.yaml"):
        read_knobs(path)


def test_each_knob_of_the_plan_does_something() -> None:
    def steps(**knobs: float) -> list[Any]:
        settings = replace(WorldSettings(seconds=120), **knobs)
        return [step for index in range(6) for step in draw_sample(3, index, settings).plan.steps]

    assert all(step.goes_on for step in steps(same_object_share=1)[1:6])
    assert not any(step.goes_on for step in steps(same_object_share=0))
    assert not any(step.veil for step in steps(veil_share=0))
    assert any(step.veil for step in steps(veil_share=1))
    assert not any(step.hidden_to for step in steps(hidden_share=0))
    assert any(step.hidden_to for step in steps(hidden_share=1, veil_share=0))

"""What the table in benchmarks/tsp_table shows, and what it is made with."""

from __future__ import annotations

import importlib
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmarks.rows import read_rows

FOLDER = Path(__file__).parents[1] / "benchmarks" / "tsp_table"


@pytest.fixture
def table() -> ModuleType:
    return importlib.import_module("benchmarks.tsp_table.table")


@pytest.fixture
def probe() -> ModuleType:
    return importlib.import_module("benchmarks.tsp_table.probe")


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return read_rows(FOLDER)


def test_the_encoders_that_know_background_separate_it_better(rows: list[dict[str, Any]]) -> None:
    control = {row["seed"]: row["auc"] for row in rows if row["method"] == "TAC"}
    gains = [row["auc"] - control[row["seed"]] for row in rows if row["method"].startswith("TSP")]
    assert len(gains) == 6 and min(gains) > 0


def test_segments_cover_a_video_and_what_an_object_looks_like_says_nothing(table: ModuleType) -> None:
    world = table.drawn
    segments = world.draw_segments(Random(3))
    assert [s.start for s in segments[1:]] == [s.end for s in segments[:-1]]
    assert (segments[0].start, segments[-1].end) == (0, world.SETTINGS.frames)
    many = [s for seed in range(50) for s in world.draw_segments(Random(seed))]
    share = sum(bool(s.label) for s in many) / len(many)
    assert 0.45 < share < 0.55 and {s.shown for s in many} >= {*world.ACTIONS, *world.OTHER_MOTION}
    plan = world.draw_plan("v", segments, Random(1))
    rest = [step for step, s in zip(plan.steps, (s for s in segments if s.shown != "scenery"), strict=True)]
    assert all(step.end - step.start >= 30 for step in rest)


def test_a_probe_finds_what_a_line_can_separate(probe: ModuleType) -> None:
    draw = np.random.default_rng(0)
    shown = tuple(("up", "spin", "rest", "down", "blink", "scenery")[i % 6] for i in range(240))
    features = draw.normal(size=(240, 5)).astype(np.float32)
    features[:, 0] += [6 if s in ("up", "spin") else 0 for s in shown]
    clips = probe.Clips(features, shown)
    found = probe.measure(clips, clips)
    assert found["auc"] > 0.99 and found["accuracy"] > 0.95 and 0.3 < found["action"] < 0.8
    assert probe.area(np.array([1.0, 2.0]), np.array([1.0, 0.0])) == 0.875

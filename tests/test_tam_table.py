"""What the table in benchmarks/tam_table shows, and what it is made with."""

from __future__ import annotations

import importlib
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmarks.rows import read_rows

FOLDER = Path(__file__).parents[1] / "benchmarks" / "tam_table"


@pytest.fixture
def table() -> ModuleType:
    return importlib.import_module("benchmarks.tam_table.table")


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return read_rows(FOLDER)


def test_tam_beats_the_network_without_it(rows: list[dict[str, Any]]) -> None:
    found = {(row["method"], row["seed"]): row["accuracy"] for row in rows}
    gains = [found["TAM", seed] - found["TSN: no module", seed] for seed in range(3)]
    assert min(gains) > 0.2


def test_directions_differ_in_the_way_a_picture_moves_alone(table: ModuleType) -> None:
    world = table.world
    videos = {name: list(world.draw(name, Random(4))) for name in world.DIRECTIONS}
    first = videos["right"][0]
    assert first.shape == (world.SIZE, world.SIZE, 3)
    assert all(len(frames) == world.FRAMES and np.array_equal(frames[0], first) for frames in videos.values())
    for name, (down, right) in world.DIRECTIONS.items():
        ways = [np.roll(first, (k * down, k * right), (0, 1)) for k in (6, 8)]
        assert any(np.array_equal(videos[name][4], way) for way in ways), name


def test_scores_are_counted_by_direction_and_by_axis(table: ModuleType) -> None:
    truth = np.array([0, 1, 2, 3])
    scores = np.eye(8)[[0, 5, 6, 4]]
    found = table.measure(scores, truth)
    assert found == {"accuracy": 0.25, "axis": 0.75, "sense": pytest.approx(1 / 3)}

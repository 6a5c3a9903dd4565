"""A matrix of any size in a terminal of any width."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vidalign.viewer.heatmap import SHADES, UNSCORED, clock, heat_map, time_axis

matrices = npst.arrays(
    np.float32,
    npst.array_shapes(min_dims=2, max_dims=2, max_side=40),
    elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
)


@given(matrices, st.integers(1, 200), st.integers(1, 30))
def test_any_matrix_fits(matrix: np.ndarray, width: int, height: int) -> None:
    lines = heat_map(matrix, width, height)
    rows, columns = matrix.shape
    assert len(lines) == min(rows, height)
    assert {len(line) for line in lines} == {min(columns, width)}
    assert set("".join(lines)) <= set(SHADES + UNSCORED)


def test_each_row_runs_from_its_lowest_to_its_highest() -> None:
    matrix = np.array([[0, 1, 2, 3, 4], [-0.2, -0.1, 0, 0.1, 0.2]], np.float32)
    assert heat_map(matrix, 5, 2) == [SHADES, SHADES]


def test_a_flat_row_is_blank() -> None:
    assert heat_map(np.full((1, 4), 0.3, np.float32), 4, 1) == ["    "]


def test_unscored_cells_are_dots() -> None:
    nan = np.nan
    assert heat_map(np.array([[nan, 0, 1], [nan, nan, nan]], np.float32), 3, 2) == ["· █", "···"]


def test_merging_keeps_the_highest_and_ignores_the_unscored() -> None:
    matrix = np.zeros((4, 6), np.float32)
    matrix[1, 5] = 1
    matrix[3, :2] = np.nan
    assert heat_map(matrix, 3, 2) == ["  █", "   "]
    matrix[2, :2] = np.nan
    assert heat_map(matrix, 3, 2) == ["  █", "·  "]


def test_a_long_video_is_quick() -> None:
    lines = heat_map(np.random.default_rng(0).random((900, 20_000), dtype=np.float32), 80, 24)
    assert (len(lines), len(lines[0])) == (24, 80)


@pytest.mark.parametrize("seconds", [0, 0.4, 59.6, 600, 7384, 1e7])
def test_the_axis_has_the_width_and_its_marks_do_not_touch(seconds: float) -> None:
    known = {clock(share * seconds) for share in (0, 0.25, 0.5, 0.75, 1)}
    for width in range(1, 201):
        line = time_axis(0, seconds, width)
        assert len(line) == width
        assert set(line.split()) <= known
        if width >= 25:
            assert line.startswith("0:00")
            assert line.endswith(clock(seconds))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0:00"),
        (59.4, "0:59"),
        (59.6, "1:00"),
        (3600, "1:00:00"),
        (-1.2, "-0:01"),
        (-0.2, "0:00"),
        (math.nan, "?"),
        (math.inf, "?"),
    ],
)
def test_clock(seconds: float, said: str) -> None:
    assert clock(seconds) == said

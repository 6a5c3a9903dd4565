"""What TempCLR's table is made of, and what it shows."""

from __future__ import annotations

import csv
from pathlib import Path
from random import Random
from statistics import mean

import pytest

from benchmarks.rows import read_rows
from benchmarks.tempclr_table import table
from benchmarks.tempclr_table.draw import draw_table
from benchmarks.tempclr_table.methods import CONTROL
from benchmarks.tempclr_table.world import SETTINGS, STEPS, draw_plan, draw_sample, make_world
from vidalign.store.features import read_features


def test_videos_of_a_group_show_the_same_in_other_orders() -> None:
    shown = [step.kind for step in draw_plan("", Random("a group")).steps]
    one, other, again = (draw_sample(name, shown) for name in ("a-0", "a-1", "a-0"))
    orders = [[step.kind for step in sample.plan.steps] for sample in (one, other)]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(shown) and len(shown) == STEPS
    assert orders[0] != orders[1]
    assert one == again
    said = [cue.step for cue in one.narration if cue.step is not None]
    assert said == list(range(STEPS)), "every step is spoken of once, in order"


def test_a_world_is_features_subtitles_and_what_can_be_seen(tmp_path: Path) -> None:
    make_world(tmp_path, 1, 2, 7)
    names = ["order-7-000-0", "order-7-000-1"]
    with (tmp_path / "segments.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["video"] for row in rows] == [name for name in names for _ in range(STEPS)]
    for name in names:
        assert len(read_features(tmp_path / "features" / f"{name}.h5").features) == SETTINGS.seconds
        assert (tmp_path / "subtitles" / f"{name}.vtt").read_text().startswith("WEBVTT")


@pytest.mark.parametrize(("method", "measure"), [("+ sequences, DTW", "dtw"), ("+ sequences, OTAM", "otam")])
def test_the_term_of_order_gains_in_its_own_measure(method: str, measure: str) -> None:
    rows = read_rows(table.HERE)
    found = {
        name: mean(row[f"{measure}_removed"] for row in rows if row["method"] == name)
        for name in (method, CONTROL)
    }
    assert found[method] > found[CONTROL]


def test_gains_are_over_the_control_of_the_same_seed() -> None:
    row = {
        "average_removed": 0.1,
        "average_kept": 0.1,
        "otam_removed": 0.3,
        "otam_kept": 0.3,
        "dtw_kept": 0.5,
    }
    made = [
        {**row, "method": method, "seed": seed, "dtw_removed": value}
        for method, values in ((CONTROL, (0.5, 0.7)), ("Norton", (0.6, 0.8)))
        for seed, value in enumerate(values)
    ]
    lines = draw_table(made).splitlines()
    assert "| Norton | 10.0 ± 0.0 (+0.0) | 70.0 ± 14.1 (+10.0) |" in lines[-1]
    assert f"| {CONTROL} | 10.0 ± 0.0 | 60.0 ± 14.1 |" in lines[3]

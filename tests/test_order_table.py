"""What the committed table of benchmarks/order_table shows, and that a row can be made again."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarks.rows import read_rows

Rows = list[dict[str, Any]]


@pytest.fixture
def table() -> ModuleType:
    return importlib.import_module("benchmarks.order_table.table")


@pytest.fixture
def rows(table: ModuleType) -> Rows:
    return read_rows(table.HERE)


def by_world(rows: Rows, decoder: str, chatter: int) -> dict[int, dict[str, Any]]:
    wanted = ("mini", decoder, chatter)
    return {row["seed"]: row for row in rows if (row["scorer"], row["decoder"], row["chatter"]) == wanted}


@pytest.mark.parametrize("decoder", ["dtw", "drop-dtw", "viterbi:prior=0.5"])
def test_order_gains_ten_points_in_every_world(decoder: str, rows: Rows) -> None:
    ours, peak = (by_world(rows, name, 70) for name in (decoder, "peak"))
    assert len(ours) == 3
    assert all(ours[seed]["recall"] >= peak[seed]["recall"] + 0.10 for seed in ours)


@pytest.mark.parametrize("chatter", [30, 50, 70])
def test_drop_dtw_labels_better_than_the_peak_in_every_world(chatter: int, rows: Rows) -> None:
    ours, peak = (by_world(rows, name, chatter) for name in ("drop-dtw", "peak"))
    assert len(ours) == 3
    for number in ("label_accuracy", "label_f1", "auc"):
        assert all(ours[seed][number] > peak[seed][number] for seed in ours)


def test_a_row_is_made_again(table: ModuleType, rows: Rows, tmp_path: Path) -> None:
    row = table.Row(table.Method("mini", "drop-dtw", 70), table.SEEDS[0])
    made, kept = table.make_row(row, tmp_path), by_world(rows, "drop-dtw", 70)[row.seed]
    assert row.key() == kept["key"]
    assert all(made[name] == pytest.approx(kept[name], abs=table.TOLERANCE) for name in table.NUMBERS)

"""The committed table of benchmarks/tan_table is complete, current and drawn from its rows."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks" / "tan_table"


@pytest.fixture
def table() -> ModuleType:
    return importlib.import_module("benchmarks.tan_table.table")


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / "rows.jsonl").read_text("utf-8").splitlines()]


def test_every_row_is_there_and_of_the_configuration_as_it_is(
    table: ModuleType, rows: list[dict[str, Any]]
) -> None:
    wanted = {
        table.Row(method, level, seed).key(): (method.name, level, seed)
        for method in table.METHODS
        for level in table.LEVELS
        for seed in table.SEEDS
    }
    assert {row["key"]: (row["method"], row["level"], row["seed"]) for row in rows} == wanted
    assert len(rows) == len(wanted)
    assert all(row["seconds"] <= 360 and len(row["commit"]) >= 7 for row in rows)


def test_the_table_is_drawn_from_the_rows(table: ModuleType, rows: list[dict[str, Any]]) -> None:
    drawn = table.draw_table(rows)
    assert (FOLDER / "table.md").read_text("utf-8") == drawn
    assert drawn in (FOLDER / "README.md").read_text("utf-8")


def test_another_configuration_is_another_row(table: ModuleType) -> None:
    keys = {table.Row(method, "hard", 0).key() for method in table.METHODS}
    assert len(keys) == len(table.METHODS)

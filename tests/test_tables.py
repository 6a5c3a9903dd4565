"""Every committed table of benchmarks/ is complete, current and drawn from its rows."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.rows import read_rows

FOLDER = Path(__file__).parents[1] / "benchmarks"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/table.py"))
LONGEST = 360
"""Seconds that a row may take; a table whose rows take longer says so by its own `LONGEST`."""


@pytest.fixture(params=NAMES)
def table(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(f"benchmarks.{request.param}.table")


def test_every_row_is_there_and_of_the_configuration_as_it_is(table: ModuleType) -> None:
    rows = read_rows(table.HERE)
    wanted = {row.key(): dict(row.told()) for row in table.ROWS}
    names = table.ROWS[0].told()
    assert {row["key"]: {name: row[name] for name in names} for row in rows} == wanted
    assert len(rows) == len(wanted) == len(table.ROWS)
    assert all(
        row["seconds"] <= getattr(table, "LONGEST", LONGEST) and len(row["commit"]) >= 7 for row in rows
    )


def test_the_table_is_drawn_from_the_rows(table: ModuleType) -> None:
    drawn = table.draw_table(read_rows(table.HERE))
    assert (table.HERE / "table.md").read_text("utf-8") == drawn
    assert drawn in (table.HERE / "README.md").read_text("utf-8")


def test_there_are_tables() -> None:
    assert {"finetune", "tam_table", "tan_table", "tsp_table"} <= set(NAMES)

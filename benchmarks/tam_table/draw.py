"""rows.jsonl as the table that is committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from benchmarks.rows import spread
from benchmarks.tam_table.methods import CONTROL, METHODS

Rows = Sequence[Mapping[str, Any]]
NUMBERS = {"accuracy": "direction", "axis": "axis", "sense": "which way, given the axis"}


def draw_table(rows: Rows) -> str:
    """Percent, means over the seeds; the gain is the least of the seeds' over TSN."""
    head = ("module in each block", *NUMBERS.values(), "least gain over TSN", "seconds")
    lines = [_line(*head), _line(*["---"] * len(head))]
    for method in METHODS:
        ours = [row for row in rows if row["method"] == method.name]
        spreads = [spread([100 * row[name] for row in ours]) for name in NUMBERS]
        seconds = f"{mean(row['seconds'] for row in ours):.0f}" if ours and method.temporal else ""
        lines.append(_line(method.name, *spreads, _gain(ours, rows) if method.temporal else "", seconds))
    return "\n".join(lines) + "\n"


def _gain(ours: Rows, rows: Rows) -> str:
    control = {row["seed"]: row["accuracy"] for row in rows if row["method"] == CONTROL.name}
    gains = [100 * (row["accuracy"] - control[row["seed"]]) for row in ours if row["seed"] in control]
    return f"{min(gains):+.1f}" if gains and any(gains) else ""


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"

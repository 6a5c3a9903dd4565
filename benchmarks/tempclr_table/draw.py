"""rows.jsonl as the table that is committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from benchmarks.rows import spread
from benchmarks.tempclr_table.methods import CONTROL, METHODS

Rows = Sequence[Mapping[str, Any]]
NUMBERS = {
    f"{measure}_{background}": f"{title}, {background}"
    for background in ("removed", "kept")
    for measure, title in (("average", "caption average"), ("dtw", "DTW"), ("otam", "OTAM"))
}
"""Numbers of a row, and what they are called: measure and background."""


def draw_table(rows: Rows) -> str:
    """R@1 in percent, means over the seeds, with the gain over the control of equal seeds."""
    lines = [_line("method", *NUMBERS.values()), _line(*["---"] * (len(NUMBERS) + 1))]
    control = {row["seed"]: row for row in rows if row["method"] == CONTROL}
    for method in METHODS:
        ours = [row for row in rows if row["method"] == method.name]
        lines.append(_line(method.name, *(_cell(ours, control, name) for name in NUMBERS)))
    return "\n".join(lines) + "\n"


def _cell(rows: Rows, control: Mapping[int, Mapping[str, Any]], name: str) -> str:
    """The spread over the seeds and the mean gain."""
    gains = [100 * (row[name] - control[row["seed"]][name]) for row in rows if row["seed"] in control]
    if not gains or rows[0]["method"] == CONTROL:
        return spread([100 * row[name] for row in rows])
    return f"{spread([100 * row[name] for row in rows])} ({round(mean(gains), 1) + 0.0:+.1f})"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"

"""rows.jsonl as the table that is committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from benchmarks.rows import spread
from benchmarks.tan_table.methods import METHODS

Rows = Sequence[Mapping[str, Any]]


def draw_table(rows: Rows) -> str:
    """R@1 and ROC-AUC in percent, means over the seeds, with the gain over the control."""
    levels = sorted({row["level"] for row in rows}, reverse=True)
    head = [f"{level} {number}" for level in levels for number in ("R@1", "over control", "ROC-AUC")]
    lines = [_line("method", *head, "control"), _line(*["---"] * (len(head) + 2))]
    for method in METHODS:
        cells: list[str] = []
        for level in levels:
            ours, control = (_of(rows, name, level) for name in (method.name, method.control))
            cells += [_spread(ours, "recall"), _gain(ours, control), _spread(ours, "auc")]
        lines.append(_line(method.name, *cells, method.control))
    return "\n".join(lines) + "\n"


def _of(rows: Rows, method: str, level: str) -> Rows:
    return [row for row in rows if (row["method"], row["level"]) == (method, level)]


def _spread(rows: Rows, name: str) -> str:
    return spread([100 * row[name] for row in rows if row[name] is not None])


def _gain(rows: Rows, control: Rows) -> str:
    """Mean difference of equal seeds."""
    other = {row["seed"]: row["recall"] for row in control}
    gains = [100 * (row["recall"] - other[row["seed"]]) for row in rows if row["seed"] in other]
    return f"{mean(gains):+.1f}" if gains else ""


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"

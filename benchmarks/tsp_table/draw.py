"""rows.jsonl as the table that is committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.rows import spread
from benchmarks.tsp_table.methods import CONTROL, METHODS

Rows = Sequence[Mapping[str, Any]]
NUMBERS = {
    "auc": "ROC-AUC",
    "auc_reversed": "against reversed",
    "auc_blink": "blinking",
    "auc_rest": "rest",
    "auc_scenery": "scenery",
    "accuracy": "accuracy",
    "action": "which action",
}


def draw_table(rows: Rows) -> str:
    """Percent, means over the seeds; the gain is the least of the seeds' over the control, in ROC-AUC."""
    lines = [_line("method", *NUMBERS.values(), "least gain over TAC"), _line(*["---"] * (len(NUMBERS) + 2))]
    for method in METHODS:
        ours = _of(rows, method.name)
        lines.append(_line(method.name, *(_spread(ours, name) for name in NUMBERS), _gain(ours, rows)))
    return "\n".join(lines) + "\n"


def _of(rows: Rows, method: str) -> Rows:
    return [row for row in rows if row["method"] == method]


def _spread(rows: Rows, name: str) -> str:
    return spread([100 * row[name] for row in rows])


def _gain(ours: Rows, rows: Rows) -> str:
    control = {row["seed"]: row["auc"] for row in _of(rows, CONTROL)}
    gains = [100 * (row["auc"] - control[row["seed"]]) for row in ours if row["seed"] in control]
    return f"{min(gains):+.1f}" if gains and any(gains) else ""


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"

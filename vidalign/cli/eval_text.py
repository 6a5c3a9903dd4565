"""How evaluations are shown: tables for people, JSON values for programs."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable, Sequence
from io import StringIO
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from vidalign.evaluation.bootstrap import Estimate
from vidalign.evaluation.contest import Outcome
from vidalign.evaluation.report import Report

WIDE = 160
"""Columns of a table that goes to a file."""

_COLUMNS: dict[str, tuple[str, Callable[[float], str]]] = {
    "recall": ("R@1 %", lambda value: f"{100 * value:.1f}"),
    "auc": ("ROC-AUC %", lambda value: f"{100 * value:.1f}"),
    "average_precision": ("AP %", lambda value: f"{100 * value:.1f}"),
    "timing_error": ("error s", lambda value: f"{value:.1f}"),
    "iou": ("IoU", lambda value: f"{value:.3f}"),
    "calibration_error": ("ECE", lambda value: f"{value:.3f}"),
}


def align_table(reports: Sequence[Report]) -> str:
    """One row a method; each number with its 95 % interval below it."""
    table = _table("method", "windows", "videos", "sentences", *(head for head, _ in _COLUMNS.values()))
    for made in reports:
        numbers = [_cell(made.metrics[name], shown) for name, (_, shown) in _COLUMNS.items()]
        counts = f"{made.sentences}\n({made.alignable} alignable)"
        table.add_row(made.method.name, _windows(made), str(made.videos), counts, *numbers)
    return drawn(table)


def align_record(made: Report, outcome: Outcome) -> dict[str, Any]:
    """A row as a JSON value."""
    method = made.method
    return {
        "method": method.name,
        "kind": method.kind,
        "protocol": method.protocol,
        "windowing": method.windowing,
        "encoders": method.encoders,
        "videos": made.videos,
        "sentences": made.sentences,
        "alignable": made.alignable,
        **{name: estimate_record(value) for name, value in made.metrics.items()},
        "missing": list(outcome.missing),
        "failed": {video: str(error) for video, error in outcome.failed.items()},
    }


def estimate_record(found: Estimate) -> dict[str, float | None]:
    """A number with its interval; null for unknown."""
    return {name: None if math.isnan(value) else value for name, value in found._asdict().items()}


def drawn(table: Table) -> str:
    """The table as text, as wide as the terminal."""
    width = shutil.get_terminal_size((WIDE, 24)).columns if sys.stdout.isatty() else WIDE
    console = Console(file=StringIO(), width=width, color_system=None)
    console.print(table)
    assert isinstance(console.file, StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().rstrip("\n").split("\n"))


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right")
    return table


def _cell(found: Estimate, shown: Callable[[float], str]) -> str:
    if math.isnan(found.value):
        return "-"
    if math.isnan(found.low):
        return shown(found.value)
    return f"{shown(found.value)}\n({shown(found.low)}-{shown(found.high)})"


def _windows(made: Report) -> str:
    parts = (made.method.windowing, made.method.encoders)
    return ", ".join(part for part in parts if part is not None) or "-"

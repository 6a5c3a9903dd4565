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
from vidalign.evaluation.retrieval import RetrievalRow

WIDE = 160
"""Columns of a table that goes to a file."""
NARROWEST = 110

Shown = Callable[[float], str]
"""How a number is written."""


def percent(value: float) -> str:
    """A share as it is shown."""
    return f"{100 * value:.1f}"


_ALIGN_COLUMNS: dict[str, tuple[str, Shown]] = {
    "recall": ("R@1 %", percent),
    "auc": ("ROC-AUC %", percent),
    "average_precision": ("AP %", percent),
    "timing_error": ("error s", "{:.1f}".format),
    "iou": ("IoU", "{:.2f}".format),
    "calibration_error": ("ECE", "{:.2f}".format),
    "label_accuracy": ("labels %", percent),
}
RETRIEVAL_COLUMNS: dict[str, tuple[str, Shown]] = {
    "recall_1": ("R@1 %", percent),
    "recall_5": ("R@5 %", percent),
    "recall_10": ("R@10 %", percent),
    "median_rank": ("median rank", "{:g}".format),
}


def align_table(reports: Sequence[Report]) -> str:
    """One row a method; each number with its 95 % interval below it."""
    table = new_table(
        "method", "windows", "videos", "alignable", *(head for head, _ in _ALIGN_COLUMNS.values())
    )
    for made in reports:
        numbers = [cell(made.metrics[name], shown) for name, (_, shown) in _ALIGN_COLUMNS.items()]
        counts = f"{made.alignable} of\n{made.sentences}"
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
        "decoder": method.decoder,
        "videos": made.videos,
        "sentences": made.sentences,
        "alignable": made.alignable,
        **{name: estimate_record(value) for name, value in made.metrics.items()},
        "missing": list(outcome.missing),
        "failed": {video: str(error) for video, error in outcome.failed.items()},
    }


def retrieval_table(rows: Sequence[RetrievalRow]) -> str:
    """One row a model and variant; each number with its 95 % interval below it."""
    table = new_table("model", "vectors", "segments", *(head for head, _ in RETRIEVAL_COLUMNS.values()))
    for row in rows:
        numbers = [cell(row.metrics[name], shown) for name, (_, shown) in RETRIEVAL_COLUMNS.items()]
        table.add_row(f"{row.model}\n({row.scorer})", row.variant, str(len(row.encoded.segments)), *numbers)
    return drawn(table)


def retrieval_record(row: RetrievalRow) -> dict[str, Any]:
    """A row as a JSON value."""
    encoded = row.encoded
    return {
        "model": row.model,
        "scorer": row.scorer,
        "variant": row.variant,
        "ranks": row.ranks,
        "videos": len({segment.video for segment in encoded.segments}),
        "segments": len(encoded.segments),
        **{name: estimate_record(value) for name, value in row.metrics.items()},
        "missing": list(encoded.missing),
        "failed": {video: str(error) for video, error in encoded.failed.items()},
    }


def estimate_record(found: Estimate) -> dict[str, float | None]:
    """A number with its interval; null for unknown."""
    return {name: None if math.isnan(value) else value for name, value in found._asdict().items()}


def drawn(table: Table) -> str:
    """The table as text, as wide as the terminal, but never so narrow that numbers are cut."""
    width = shutil.get_terminal_size((WIDE, 24)).columns if sys.stdout.isatty() else WIDE
    console = Console(file=StringIO(), width=max(width, NARROWEST), color_system=None)
    console.print(table)
    assert isinstance(console.file, StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().rstrip("\n").split("\n"))


def new_table(first: str, *others: str) -> Table:
    """A table without rows; numbers stand right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def cell(found: Estimate, shown: Shown) -> str:
    """A number with its interval below it."""
    if math.isnan(found.value):
        return "-"
    if math.isnan(found.low):
        return shown(found.value)
    return f"{shown(found.value)}\n({shown(found.low)}-{shown(found.high)})"


def _windows(made: Report) -> str:
    decoder = made.method.decoder
    parts = (made.method.windowing, made.method.encoders, None if decoder == "peak" else decoder)
    return "\n".join(part for part in parts if part is not None) or "-"

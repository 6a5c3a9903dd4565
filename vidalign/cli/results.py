"""Results, one row each: a table for people, JSON lines for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_SECONDS = ("start", "end", "second")


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Rows with the same keys, which head the table; None is shown as a dash."""
    from vidalign.cli.output import emit_json, emit_text

    if not as_json:
        emit_text(_table(rows))
        return
    for row in rows:
        emit_json(row)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from vidalign.cli.eval_text import drawn
    from vidalign.cli.lines import one_line

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, value in rows[0].items():
        is_text = isinstance(value, str)
        table.add_column(name, justify="left" if is_text else "right", overflow="fold", no_wrap=not is_text)
    for row in rows:
        table.add_row(*(Text(one_line(_told(name, value))) for name, value in row.items()))
    return drawn(table)


def _told(name: str, value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}" if name in _SECONDS else f"{value:.3f}"
    return "-" if value is None else str(value)

"""What is true: annotations in HTM-Align's form, video -> list of [alignable, start, end, text]."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from vidalign.errors import DataError


class TruthRow(NamedTuple):
    """One sentence: whether it can be seen, when in seconds (else when it is spoken), and its text."""

    alignable: bool
    start: float
    end: float
    text: str


Truth = dict[str, tuple[TruthRow, ...]]


def read_annotations(path: Path) -> Truth:
    """Read `htm_align.json` as published, or a truth file of the synthetic world; raises DataError."""
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict) or not content:
        raise _refused(f"{path} is not a file of annotations")
    return {str(video): _rows(rows, f"{path}: {video}") for video, rows in content.items()}


def _rows(rows: Any, where: str) -> tuple[TruthRow, ...]:
    if not isinstance(rows, list):
        raise _refused(f"{where} is no list of rows")
    return tuple(_row(row, f"{where}, row {number}") for number, row in enumerate(rows, 1))


def _row(row: Any, where: str) -> TruthRow:
    if not isinstance(row, list) or len(row) < 4:
        raise _refused(f"{where} is {_short(row)}")
    alignable, start, end, text = row[:4]
    if alignable not in (0, 1):
        raise _refused(f"{where}: alignable is {_short(alignable)}, not 0 or 1")
    for time in (start, end):
        if isinstance(time, bool) or not isinstance(time, int | float) or not abs(time) <= sys.float_info.max:
            raise _refused(f"{where}: {_short(time)} is no time in seconds")
    if not isinstance(text, str):
        raise _refused(f"{where}: {_short(text)} is no text")
    return TruthRow(bool(alignable), float(start), float(end), text)


def _refused(message: str) -> DataError:
    return DataError(message, hint='expected: {"VIDEO": [[0 or 1, start, end, "text"], ...], ...}')


def _short(value: Any) -> str:
    told = repr(value)
    return told if len(told) <= 60 else told[:57] + "..."

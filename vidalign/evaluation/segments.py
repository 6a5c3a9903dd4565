"""Described segments of videos, for retrieval: YouCook2's JSON, or a CSV."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from vidalign.errors import DataError
from vidalign.evaluation.files import csv_table
from vidalign.outside import load_json

COLUMNS = ("video", "start", "end", "text")
_HINT = "expected: YouCook2's JSON, or a CSV with the columns video,start,end,text"


class Segment(NamedTuple):
    """What is shown from `start` to `end` (seconds) of a video."""

    video: str
    start: float
    end: float
    text: str


def read_segments(path: Path, subset: str | None = None) -> tuple[Segment, ...]:
    """Read described segments, of one `subset` of a JSON file or of all; raises DataError.

    In a CSV the video's column may be called video_id, as in the lists of MIL-NCE.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    is_json = text.lstrip().startswith("{")
    if subset is not None and not is_json:
        raise DataError(f"{path} is a CSV and has no subsets", hint="leave --subset out")
    found = tuple(_from_json(text, path, subset) if is_json else _from_csv(text, path))
    if not found:
        where = "" if subset is None else f" in the subset {subset!r}"
        raise DataError(f"{path} has no segment{where}", hint=_HINT)
    return found


def _from_json(text: str, path: Path, subset: str | None) -> Iterator[Segment]:
    try:
        videos = load_json(text)["database"]
        for video, entry in videos.items():
            if subset is None or entry.get("subset") == subset:
                for number, told in enumerate(entry.get("annotations", ()), 1):
                    start, end = told["segment"]
                    yield _segment(video, start, end, told["sentence"], f"{path}: {video}, segment {number}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(f"{path} is no file of segments: {why}", hint=_HINT) from error


def _from_csv(text: str, path: Path) -> Iterator[Segment]:
    columns, rows = csv_table(text, path, _HINT)
    names = {"video" if name == "video_id" else name: name for name in columns}
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise DataError(f"{path}:1: there is no column {missing[0]!r}", hint=_HINT)
    for where, row in rows:
        video, start, end, said = (row[names[name]] for name in COLUMNS)
        yield _segment(video, start, end, said, where)


def _segment(video: Any, start: Any, end: Any, text: Any, where: str) -> Segment:
    try:
        times = float(start), float(end)
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"{where}: {start!r} to {end!r} are no times in seconds") from None
    if not all(map(math.isfinite, times)) or not 0 <= times[0] <= times[1]:
        raise DataError(f"{where}: {start} to {end} seconds is no segment")
    if not isinstance(video, str) or not isinstance(text, str) or not video:
        raise DataError(f"{where}: a video and a text are needed")
    return Segment(video, *times, text)

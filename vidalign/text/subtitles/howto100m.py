"""HowTo100M captions, times in seconds: JSON `{video: {start, end, text}}` and CSV `start,end,text`."""

from __future__ import annotations

import csv
import math
from io import StringIO
from typing import Any

from vidalign.outside import UnreadableError, load_json
from vidalign.text.subtitles.model import Notes, Parsed
from vidalign.types import Cue

_COLUMNS = ("start", "end", "text")
_VIDEO_COLUMNS = ("vid", "video_id", "video")


def read(text: str, notes: Notes) -> Parsed:
    """The captions of the video that is wanted, or of the only one there is."""
    return Parsed(_from_json(text, notes) if text.lstrip()[:1] in ("{", "[") else _from_csv(text, notes))


def _from_json(text: str, notes: Notes) -> list[Cue]:
    try:
        content = load_json(text)
    except UnreadableError as error:
        raise notes.error(f"is {error}", error.line) from None
    if not isinstance(content, dict):
        raise notes.error(_UNKNOWN, hint=_EXPECTED)
    captions = content if set(_COLUMNS) <= set(content) else content[_choose(list(content), notes)]
    columns = [captions.get(name) if isinstance(captions, dict) else None for name in _COLUMNS]
    starts, ends, texts = (column if isinstance(column, list) else None for column in columns)
    if starts is None or ends is None or texts is None:
        raise notes.error(_UNKNOWN, hint=_EXPECTED)
    if not len(starts) == len(ends) == len(texts):
        raise notes.error(f"{len(starts)} starts, {len(ends)} ends and {len(texts)} texts")
    rows = zip(starts, ends, texts, strict=True)
    return [_cue(*row, f"caption {number}", 0, notes) for number, row in enumerate(rows, start=1)]


_UNKNOWN = "this JSON holds no captions that are known"
_EXPECTED = "expected {video: {start: [...], end: [...], text: [...]}} in seconds, or YouTube's json3"


def _from_csv(text: str, notes: Notes) -> list[Cue]:
    reader = csv.reader(StringIO(text, newline=""), skipinitialspace=True)
    rows: list[tuple[int, list[str]]] = []
    line = 1
    try:
        for row in reader:
            rows.append((line, row))
            line = reader.line_num + 1
    except csv.Error as error:
        raise notes.error(f"is no readable CSV: {error}", reader.line_num) from None
    rows = [(line, row) for line, row in rows if any(field.strip() for field in row)]
    header = [field.strip().lower() for field in rows[0][1]] if rows else []
    if set(_COLUMNS) <= set(header):
        rows = rows[1:]
    elif len(header) == 3 and _is_number(header[0]) and _is_number(header[1]):
        header = list(_COLUMNS)
    else:
        raise notes.error("the CSV has no columns start, end and text", 1)
    for line, row in rows:
        if len(row) < len(header):
            raise notes.error(f"a row of {len(row)} fields where there are {len(header)} columns", line)
    records = [(line, dict(zip(header, row, strict=False))) for line, row in rows]
    return [
        _cue(record["start"], record["end"], record["text"], "the row", line, notes)
        for line, record in _of_one_video(records, notes)
    ]


def _of_one_video(
    records: list[tuple[int, dict[str, str]]], notes: Notes
) -> list[tuple[int, dict[str, str]]]:
    column = next((name for name in _VIDEO_COLUMNS if records and name in records[0][1]), None)
    if column is None:
        return records
    wanted = _choose(list(dict.fromkeys(record[column] for _, record in records)), notes)
    return [(line, record) for line, record in records if record[column] == wanted]


def _choose(videos: list[str], notes: Notes) -> str:
    """The video whose captions are wanted: the named one, or the only one."""
    if notes.video in videos:
        return str(notes.video)
    if len(videos) == 1:
        if notes.video is not None:
            notes.add(f"its captions are those of {videos[0]!r}, taken for {notes.video!r}")
        return videos[0]
    if notes.video is None:
        raise notes.error(f"holds captions of {len(videos)} videos", hint="name the video that is wanted")
    raise notes.error(f"holds captions of {len(videos)} videos, but none of {notes.video!r}")


def _is_number(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _cue(start: Any, end: Any, text: Any, where: str, line: int, notes: Notes) -> Cue:
    try:
        first, last = round(float(start) * 1000), round(float(end) * 1000)
    except (TypeError, ValueError, OverflowError):
        raise notes.error(f"{where} has no readable time: {start!r}, {end!r}", line) from None
    payload = text if isinstance(text, str) else ""
    return Cue(first, last, payload, payload.strip(), line=line)

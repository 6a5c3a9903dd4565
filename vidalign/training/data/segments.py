"""Tables of action and background segments: as published for ActivityNet and THUMOS14 by TSP, or short."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidalign.errors import ConfigError, did_you_mean
from vidalign.training.losses.tsp import BACKGROUND, REGIONS

PUBLISHED = {"video": "filename", "start": "t-start", "end": "t-end", "label": "action-label"}
SHORT = {name: name for name in PUBLISHED}
REGION_COLUMN = "temporal-region-label"
_COLUMNS = (
    f"columns: {','.join(SHORT)}, label empty for background; or {','.join(PUBLISHED.values())} as published"
)


@dataclass(frozen=True, slots=True)
class Segment:
    """Seconds [start, end) of a video, as in the `line` of its table; the label of background is empty."""

    video: str
    start: float
    end: float
    label: str
    line: int


def read_segments(table: Path) -> list[Segment]:
    """The rows of a CSV, in its order; further columns are not read. Raises ConfigError with the line."""
    try:
        reader = csv.DictReader(io.StringIO(table.read_text("utf-8-sig"), newline=""), strict=True)
        names = _columns(table, reader.fieldnames or ())
        segments = [_segment(f"{table}:{reader.line_num}", reader.line_num, row, names) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{table} is no CSV table: {error}", hint=_COLUMNS) from None
    if not segments:
        raise ConfigError(f"{table} has no row", hint=_COLUMNS)
    return segments


def read_labels(path: Path | None, segments: Sequence[Segment]) -> tuple[str, ...]:
    """The actions by index: those of a list, one a line, else those of the segments, sorted."""
    if path is None:
        return tuple(sorted({segment.label for segment in segments if segment.label}))
    try:
        lines = [line.strip() for line in path.read_text("utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the list of labels cannot be read: {error}") from None
    labels = tuple(line for line in lines if line)
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None or not labels:
        told = f"{twice!r} stands there twice" if twice is not None else "there is no label"
        raise ConfigError(f"{path}: {told}", hint="one label a line")
    return labels


def action_index(segment: Segment, labels: Mapping[str, int], table: Path) -> int:
    """The index of the segment's action, BACKGROUND without one; raises ConfigError on an unknown label."""
    if not segment.label:
        return BACKGROUND
    if segment.label not in labels:
        known = ", ".join(list(labels)[:5]) + (", ..." if len(labels) > 5 else "")
        raise ConfigError(
            f"{table}:{segment.line}: the label {segment.label!r} is none of the {len(labels)} trained ones",
            hint=did_you_mean(segment.label, labels, f"known: {known}"),
        )
    return labels[segment.label]


def _columns(table: Path, header: Sequence[str]) -> Mapping[str, str]:
    """What each column is called there."""
    for names in (SHORT, PUBLISHED):
        if set(names.values()) <= set(header):
            return names
    near = min((SHORT, PUBLISHED), key=lambda names: len(set(names.values()) - set(header)))
    missing = next(name for name in near.values() if name not in header)
    raise ConfigError(f"{table}: the column {missing!r} is missing", hint=_COLUMNS)


def _segment(
    where: str, line: int, row: Mapping[str | None, str | None], names: Mapping[str, str]
) -> Segment:
    if None in row or None in row.values():
        raise ConfigError(f"{where}: not one cell a column", hint=_COLUMNS)
    cells = {name: (row[column] or "").strip() for name, column in names.items()}
    if not cells["video"]:
        raise ConfigError(f"{where}: {names['video']} is empty")
    start, end = (_seconds(cells[name], f"{where}: {names[name]}") for name in ("start", "end"))
    if not start < end:
        raise ConfigError(f"{where}: the segment ends at {end:g} s, not after its start at {start:g} s")
    _check_region((row.get(REGION_COLUMN) or "").strip(), cells["label"], where)
    return Segment(cells["video"], start, end, cells["label"], line)


def _seconds(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ConfigError(f"{what} is {text!r}, not a number of seconds")
    return value


def _check_region(region: str, label: str, where: str) -> None:
    """Raise ConfigError where a given region is unknown or contradicts the label."""
    if not region:
        return
    known = {name.casefold(): name for name in REGIONS}
    if region.casefold() not in known:
        raise ConfigError(f"{where}: {REGION_COLUMN} is {region!r}; one of {', '.join(REGIONS)}")
    if (region.casefold() == REGIONS[0].casefold()) != bool(label):
        raise ConfigError(f"{where}: {REGION_COLUMN} is {region!r}, but the action label is {label!r}")

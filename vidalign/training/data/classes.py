"""Which class a video is of: a folder of folders, or a table."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vidalign.errors import ConfigError, DataError
from vidalign.training.data.sources import videos_below

_COLUMNS = "columns: path,label; paths count from the table's folder"


@dataclass(frozen=True, slots=True)
class ClassSource:
    """A folder of `videos` with one folder a class, or a CSV `manifest` with the columns path and label."""

    videos: Path | None = None
    manifest: Path | None = None

    def __post_init__(self) -> None:
        if (self.videos is None) == (self.manifest is None):
            raise ConfigError("give videos or a manifest", hint="one of the two")


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """A video with its class; `name` is its path without suffix, `where` the place that gives the class."""

    name: str
    path: Path
    label: str
    where: str


def labelled_files(source: ClassSource) -> list[LabelledFile]:
    """Every video of a source, in order; raises ConfigError."""
    if source.manifest is not None:
        return _of_table(source.manifest)
    assert source.videos is not None
    found = []
    for name, path in videos_below(source.videos).items():
        label, below, _ = name.partition("/")
        if not below:
            raise ConfigError(f"{path} lies in no folder of a class", hint=f"{source.videos}/CLASS/VIDEO")
        found.append(LabelledFile(name, path, label, str(path)))
    return found


def class_names(labels: Path | None, files: Sequence[LabelledFile], source: ClassSource) -> tuple[str, ...]:
    """The classes by index: those of a list, one a line, else those of the files, numbers by their value.

    Raises ConfigError, and DataError where there are not two.
    """
    found = sorted({file.label for file in files}, key=_as_number)
    if len(found) < 2:
        where = source.manifest or source.videos
        raise DataError(f"{where} has one class only ({found[0]!r})", hint="two or more are told apart")
    if labels is None:
        return tuple(found)
    try:
        lines = [line.strip() for line in labels.read_text("utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{labels}: the list of labels cannot be read: {error}") from None
    listed = tuple(line for line in lines if line)
    twice = next((label for label in listed if listed.count(label) > 1), None)
    if twice is not None or not listed:
        told = f"{twice!r} stands there twice" if twice is not None else "there is no label"
        raise ConfigError(f"{labels}: {told}", hint="one label a line")
    return listed


def split(files: Sequence[LabelledFile], share: float) -> tuple[list[LabelledFile], list[LabelledFile]]:
    """(training, validation): of each class that share, chosen by a hash of the names, at least one stays."""
    by_class: dict[str, list[LabelledFile]] = defaultdict(list)
    for file in files:
        by_class[file.label].append(file)
    held: set[str] = set()
    for mine in by_class.values():
        mine.sort(key=lambda file: hashlib.sha256(file.name.encode()).digest())
        held.update(file.name for file in mine[: min(round(share * len(mine)), len(mine) - 1)])
    return [f for f in files if f.name not in held], [f for f in files if f.name in held]


def _as_number(label: str) -> tuple[int, str]:
    return (int(label), "") if label.isdecimal() else (-1, label)


def _of_table(table: Path) -> list[LabelledFile]:
    try:
        reader = csv.DictReader(io.StringIO(table.read_text("utf-8-sig"), newline=""), strict=True)
        missing = [name for name in ("path", "label") if name not in (reader.fieldnames or ())]
        if missing:
            raise ConfigError(f"{table}: the column {missing[0]!r} is missing", hint=_COLUMNS)
        rows = [(f"{table}:{reader.line_num}", row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{table} is no CSV table: {error}", hint=_COLUMNS) from None
    if not rows:
        raise ConfigError(f"{table} has no row", hint=_COLUMNS)
    found: dict[str, LabelledFile] = {}
    for where, row in rows:
        path, label = ((row[name] or "").strip() for name in ("path", "label"))
        if not path or not label:
            raise ConfigError(f"{where}: path or label is empty", hint=_COLUMNS)
        name = _name(path)
        if name in found:
            raise ConfigError(f"{where}: {path} stands in {found[name].where} too", hint="one row a video")
        found[name] = LabelledFile(name, table.parent / path, label, where)
    return list(found.values())


def _name(path: str) -> str:
    """A path without suffix, and without anything that leads out of a folder."""
    pure = PurePosixPath(path).with_suffix("")
    return "/".join("up" if part == ".." else part for part in pure.parts if part != pure.anchor)

"""Which file belongs to which video of an annotation: by name, wherever in the folder it lies."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path, PurePath

from vidalign.errors import DataError, UsageError
from vidalign.store.items import VIDEO_SUFFIXES

FEATURES = (".h5",)
ALIGNMENTS = (".align.h5", ".align.json")


class NamedFiles:
    """Files by the name of their video: the path below the folder without suffix, or its last part.

    `whole` has them all by the former.
    """

    def __init__(self, files: Iterable[tuple[str, Path]]) -> None:
        self.whole: dict[str, list[Path]] = {}
        self._last: dict[str, list[Path]] = {}
        for name, path in files:
            self.whole.setdefault(name, []).append(path)
            self._last.setdefault(PurePath(name).name, []).append(path)

    def find(self, video: str) -> Path | None:
        """The file of a video, None where there is none; raises DataError naming them where several fit."""
        found = self.whole.get(video) or self._last.get(video) or []
        if len(found) > 1:
            raise DataError(f"several files fit {video}: {found[0]} and {found[1]}", hint="leave one")
        return found[0] if found else None


def features_files(folder: Path) -> NamedFiles:
    """The features files below a folder."""
    return NamedFiles(
        (name, path) for name, path in _below(folder, FEATURES) if not path.name.lower().endswith(ALIGNMENTS)
    )


def alignment_files(folder: Path) -> NamedFiles:
    """The alignment files below a folder: NAME.align.h5 and NAME.align.json."""
    return NamedFiles(_below(folder, ALIGNMENTS))


def given_alignments(files: Iterable[Path]) -> NamedFiles:
    """Alignment files that were named one by one."""
    return NamedFiles((_without(path.name, (*ALIGNMENTS, ".h5", ".json")), path) for path in files)


def _below(folder: Path, suffixes: tuple[str, ...]) -> list[tuple[str, Path]]:
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    paths = sorted(path for path in folder.rglob("*") if path.name.lower().endswith(suffixes))
    return [(_without(path.relative_to(folder).as_posix(), suffixes), path) for path in paths]


def _without(name: str, suffixes: tuple[str, ...]) -> str:
    """The name without the first of the suffixes that it has, and without a video's suffix before it."""
    for suffix in suffixes:
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
            break
    stem, dot, last = name.rpartition(".")
    return stem if stem and (dot + last).lower() in VIDEO_SUFFIXES else name


def read_text(path: Path) -> str:
    """A text file in UTF-8; raises DataError."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path} is not a text file in UTF-8") from error


def csv_table(text: str, path: Path, hint: str) -> tuple[list[str], list[tuple[str, dict[str, str | None]]]]:
    """The columns of a CSV, and its rows with where they stand, PATH:LINE; raises DataError."""
    rows = csv.DictReader(io.StringIO(text))
    try:
        return list(rows.fieldnames or ()), [(f"{path}:{rows.line_num}", row) for row in rows]
    except csv.Error as error:
        raise DataError(f"{path}:{rows.line_num + 1}: {error}", hint=hint) from error

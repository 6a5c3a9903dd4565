"""Tables of sentences as text, read row by row."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from vidalign.store.exports.formats import Options
from vidalign.store.exports.values import COLUMNS, Write, one_line, printable, sentence_rows
from vidalign.types import Alignment


def table(delimiter: str) -> Write:
    """The `write` of a table with a header; true and false for labels, nothing for what is not known."""

    def write(path: Path, named: Iterable[tuple[str, Alignment]], options: Options) -> None:
        clean = one_line if delimiter == "\t" else printable
        with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
            rows = csv.DictWriter(file, COLUMNS, delimiter=delimiter, lineterminator="\n")
            rows.writeheader()
            for name, alignment in named:
                for row in sentence_rows(name, alignment):
                    row["aligned"] = "true" if row["aligned"] else "false"
                    row["id"], row["text"] = one_line(row["id"]), clean(row["text"])
                    rows.writerow(row)

    return write

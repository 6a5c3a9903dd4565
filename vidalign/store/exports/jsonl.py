"""JSON lines: one object a sentence, of one or many alignments."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vidalign.store.exports.formats import AlignmentFormat, Options
from vidalign.store.exports.values import sentence_rows
from vidalign.store.jsonfile import dumps
from vidalign.types import Alignment


def write(path: Path, named: Iterable[tuple[str, Alignment]], options: Options) -> None:
    """One line a sentence; null for what is not known."""
    with path.open("w", encoding="utf-8", newline="") as file:
        for name, alignment in named:
            file.writelines(dumps(row) for row in sentence_rows(name, alignment))


FORMAT = AlignmentFormat(
    summary="JSON lines, one object a sentence", suffix=".jsonl", write=write, gathers=True
)

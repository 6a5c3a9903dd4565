"""Parquet: one row a sentence, of one or many alignments; needs the extra `parquet`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from vidalign.errors import MissingExtraError
from vidalign.store.exports.formats import AlignmentFormat, Options
from vidalign.store.exports.values import COLUMNS, printable, sentence_rows
from vidalign.types import Alignment

if TYPE_CHECKING:
    import pyarrow

_TEXTS, _LABELS = ("video", "id", "text"), ("aligned",)


def write(path: Path, named: Iterable[tuple[str, Alignment]], options: Options) -> None:
    """A row group an alignment; texts, doubles and a boolean, null for what is not known."""
    try:
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise MissingExtraError(
            "parquet files need the package pyarrow", hint="pip install 'vidalign[parquet]'"
        ) from None
    schema = _schema()
    with pyarrow.parquet.ParquetWriter(path, schema) as file:
        for name, alignment in named:
            rows = [
                row | {key: printable(row[key]) for key in _TEXTS} for row in sentence_rows(name, alignment)
            ]
            file.write_table(pyarrow.Table.from_pylist(rows, schema))


def _schema() -> pyarrow.Schema:
    import pyarrow

    def kind(column: str) -> pyarrow.DataType:
        if column in _TEXTS:
            return pyarrow.string()
        return pyarrow.bool_() if column in _LABELS else pyarrow.float64()

    return pyarrow.schema([(column, kind(column)) for column in COLUMNS])


FORMAT = AlignmentFormat(
    summary="Parquet, one row a sentence (extra `parquet`)", suffix=".parquet", write=write, gathers=True
)

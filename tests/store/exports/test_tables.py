"""csv, tsv, jsonl, parquet and HTM-AA: read back as their users read them."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from tests.alignments import HOSTILE, empty_alignment, hostile_alignment, made_alignment
from tests.store.exports.conftest import Export
from vidalign.errors import MissingExtraError
from vidalign.store.exports.values import COLUMNS, sentence_rows
from vidalign.types import Alignment

TABLES = ("csv", "tsv", "jsonl", "parquet")
NAMES = pytest.mark.parametrize("name", TABLES)


def read(name: str, path: Path) -> list[dict[str, Any]]:
    """The rows by an ordinary reader of that format, NaN as None."""
    if name == "jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    if name == "parquet":
        rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
        return rows
    frame = pd.read_csv(
        path, sep="\t" if name == "tsv" else ",", dtype={"id": str, "video": str, "text": str}
    )
    return [
        {
            str(key): None if isinstance(value, float) and math.isnan(value) else value
            for key, value in row.items()
        }
        for row in frame.to_dict("records")
    ]


@NAMES
def test_rows_come_back(name: str, export: Export) -> None:
    first, second = made_alignment(), made_alignment(["one"], [None], [(0.25, 1)])
    path = export(name, first, second, called=("a/b", "c"))
    assert read(name, path) == [*sentence_rows("a/b", first), *sentence_rows("c", second)]


@NAMES
def test_hostile_texts_come_back(name: str, export: Export) -> None:
    rows = read(name, export(name, hostile_alignment()))
    texts = [row["text"] for row in rows]
    assert texts[1] == HOSTILE[1] and texts[0] == HOSTILE[0] and texts[5] == HOSTILE[5]
    assert texts[2] == (" ".join(HOSTILE[2].split()) if name == "tsv" else HOSTILE[2])
    assert [row["start"] for row in rows][4:] == [None, 100.0]


@NAMES
def test_nothing_is_a_header(name: str, export: Export) -> None:
    assert read(name, export(name, empty_alignment())) == []


def test_parquet_is_typed(export: Export) -> None:
    schema = pyarrow.parquet.read_schema(export("parquet", made_alignment()))
    assert schema.names == list(COLUMNS)
    assert [str(schema.field(n).type) for n in ("text", "aligned", "start")] == ["string", "bool", "double"]
    frame = pd.read_parquet(export("parquet", made_alignment()))
    assert frame["aligned"].tolist() == [True, True, False]


def test_parquet_without_its_extra_says_what_to_install(
    export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vidalign\[parquet\]'"):
        export("parquet", made_alignment())


def test_htm_aa_is_read_as_its_authors_do(export: Export) -> None:
    path = export("htm-aa", made_alignment(), hostile_alignment(), called=("6yooogsTG8k", "b"))
    htm_aa = pd.read_csv(path)
    assert htm_aa.iloc[0].to_dict() == {"vid": "6yooogsTG8k", "timestamp": 1, "text": "stir the egg"}
    assert htm_aa["timestamp"].dtype == np.int64
    assert htm_aa["vid"].tolist() == ["6yooogsTG8k"] * 2 + ["b"] * 5


def htm_aa_second(held: Alignment, export: Export) -> int:
    return int(pd.read_csv(export("htm-aa", held))["timestamp"][0])


def test_the_htm_aa_second_is_the_best_of_the_segment(export: Export) -> None:
    held = made_alignment(["a"], [(0, 1)], [(2, 6)])
    similarity = np.array([[9, 0, 1, 5, np.nan, 2, 9, 9]], dtype=np.float32)
    assert htm_aa_second(replace(held, similarity=similarity), export) == 3
    assert htm_aa_second(replace(held, similarity=None), export) == 4
    assert htm_aa_second(replace(held, similarity=similarity * np.nan), export) == 4

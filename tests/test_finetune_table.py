"""What the table in benchmarks/finetune shows, and what it is made with."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmarks.rows import read_rows
from vidalign.store.alignments import read_alignment

FOLDER = Path(__file__).parents[1] / "benchmarks" / "finetune"


@pytest.fixture(scope="module")
def table() -> ModuleType:
    return importlib.import_module("benchmarks.finetune.table")


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    return read_rows(FOLDER)


def test_alignments_are_worth_more_than_subtitles(table: ModuleType, rows: list[dict[str, Any]]) -> None:
    recall = {(row["source"], row["seed"]): row["recall"] for row in rows}
    _, subtitles, mini, true = (source.name for source in table.SOURCES)
    for seed in table.SEEDS:
        assert recall[true, seed] > recall[subtitles, seed]
        assert recall[mini, seed] > recall[subtitles, seed]


def test_the_true_times_become_alignments(table: ModuleType, tmp_path: Path) -> None:
    truth = {"a": [[1, 2.0, 5.5, "the box grows"], [0, 7.0, 8.0, "hello"]]}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    table.write_truth(tmp_path, tmp_path / "true")
    found = read_alignment(tmp_path / "true" / "a.align.json")
    assert found.aligned.tolist() == [True, False]
    assert found.segments[0].tolist() == [2.0, 5.5] and np.isnan(found.segments[1]).all()
    assert [sentence.text for sentence in found.sentences] == ["the box grows", "hello"]

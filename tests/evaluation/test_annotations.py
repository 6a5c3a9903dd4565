from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from vidalign.errors import DataError
from vidalign.evaluation.annotations import TruthRow, read_annotations


def test_the_published_form_is_read(tmp_path: Path) -> None:
    path = tmp_path / "htm_align.json"
    path.write_text('{"-3CEg4y7mQM": [[0, 1, 2.5, "hi"], [1, 10.739, 17.535, "add extra virgin olive oil"]]}')
    found = read_annotations(path)["-3CEg4y7mQM"]
    assert found == (
        TruthRow(False, 1.0, 2.5, "hi"),
        TruthRow(True, 10.739, 17.535, "add extra virgin olive oil"),
    )
    assert all(isinstance(row.alignable, bool) for row in found)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[1, 2]", "is not a file of annotations"),
        ("{}", "is not a file of annotations"),
        ("{", "is not JSON"),
        ('{"a": 3}', "a is no list of rows"),
        ('{"a": [[1, 2, 3, "x"], [1, 2, 3]]}', "a, row 2 is [1, 2, 3]"),
        ('{"a": [[2, 2, 3, "x"]]}', "a, row 1: alignable is 2"),
        ('{"a": [[1, "2", 3, "x"]]}', "'2' is no time in seconds"),
        ('{"a": [[1, 1' + "0" * 400 + ', 3, "x"]]}', "is no time in seconds"),
        ('{"a": [[1, NaN, 3, "x"]]}', "nan is no time in seconds"),
        ('{"a": [[1, 2, 3, null]]}', "None is no text"),
    ],
)
def test_another_file_is_refused_in_one_line(content: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_text(content)
    with pytest.raises(DataError, match=re.escape(told)) as caught:
        read_annotations(path)
    assert str(path) in caught.value.message
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        read_annotations(tmp_path / "none.json")


def test_the_golden_annotation(golden: Path, tmp_path: Path) -> None:
    annotation = json.loads((golden / "tan_eval_windows.json").read_text())["annotation"]
    (tmp_path / "a.json").write_text(json.dumps(annotation))
    found = read_annotations(tmp_path / "a.json")
    assert sum(len(rows) for rows in found.values()) == 110
    assert sum(row.alignable for rows in found.values() for row in rows) == 43

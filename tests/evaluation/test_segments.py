from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from vidalign.errors import DataError
from vidalign.evaluation.segments import Segment, read_segments

YOUCOOK = {
    "database": {
        "a": {
            "subset": "validation",
            "duration": 300.5,
            "annotations": [{"segment": [41, 54], "id": 0, "sentence": "pick the ends off the beans"}],
        },
        "b": {"subset": "training", "annotations": [{"segment": [3, 9], "id": 0, "sentence": "boil"}]},
        "c": {"subset": "testing"},
    }
}


def test_youcook_s_json(tmp_path: Path) -> None:
    path = tmp_path / "youcookii.json"
    path.write_text(json.dumps(YOUCOOK))
    first = Segment("a", 41.0, 54.0, "pick the ends off the beans")
    assert read_segments(path, "validation") == (first,)
    assert read_segments(path) == (first, Segment("b", 3.0, 9.0, "boil"))
    with pytest.raises(DataError, match="no segment in the subset 'test'"):
        read_segments(path, "test")


def test_csv_in_any_order_of_columns(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text('end,start,task,text,video_id\n54,41.5,101,"cut, then stir",a\n')
    assert read_segments(path) == (Segment("a", 41.5, 54.0, "cut, then stir"),)
    with pytest.raises(DataError, match="has no subsets"):
        read_segments(path, "validation")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "no column 'video'"),
        ("video,start,text\n", "no column 'end'"),
        ("video,start,end,text\n", "has no segment"),
        ("video,start,end,text\na,1,x,cut\n", ":2: '1' to 'x' are no times"),
        ("video,start,end,text\na,5,4,cut\n", ":2: 5 to 4 seconds is no segment"),
        ("video,start,end,text\na,5,nan,cut\n", "is no segment"),
        ("video,start,end,text\n,5,6,cut\n", "a video and a text are needed"),
        ("video,start,end,text\na,5\n", "no times"),
        ("{", "is no file of segments"),
        ('{"a": 1}', "is no file of segments: it has no 'database'"),
        ("video,start,end,text\na,5,6," + "x" * 200_000, ":2: field larger than field limit"),
        ("video" * 40_000, ":1: field larger than field limit"),
        (
            '{"database": {"a": {"annotations": [{"segment": [1, 1' + "0" * 400 + '], "sentence": "x"}]}}}',
            "are no times in seconds",
        ),
        ('{"database": {"a": {"annotations": [{"segment": [1], "sentence": "x"}]}}}', "no file of segments"),
    ],
)
def test_another_file_is_refused_in_one_line(content: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=re.escape(told)) as caught:
        read_segments(path)
    assert "\n" not in str(caught.value)

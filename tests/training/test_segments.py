"""Tables of segments: both forms, and a line for everything that is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidalign.errors import ConfigError
from vidalign.training.data.segments import Segment, action_index, read_labels, read_segments

PUBLISHED = """filename,fps,video-frames,video-duration,t-start,t-end,action-label,temporal-region-label
v_a.mp4,30,900,30.0,0.0,4.5,,No action
v_a.mp4,30,900,30.0,4.5,12.25,Long jump,Action
"""


def table(folder: Path, text: str) -> Path:
    path = folder / "segments.csv"
    path.write_text(text, "utf-8")
    return path


def test_the_published_form_and_the_short_one_are_the_same(tmp_path: Path) -> None:
    expected = [Segment("v_a.mp4", 0.0, 4.5, "", 2), Segment("v_a.mp4", 4.5, 12.25, "Long jump", 3)]
    assert read_segments(table(tmp_path, PUBLISHED)) == expected
    short = "\ufeffend,video,label,start,note\n4.5,v_a.mp4,,0,x\n12.25,v_a.mp4,Long jump,4.5,y\n"
    assert read_segments(table(tmp_path, short)) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("video,start,end,label\na,1,2\n", "segments.csv:2: not one cell a column"),
        ("video,start,end,label\na,0,1,x\na,1,2,x,y\n", "segments.csv:3: not one cell a column"),
        ("video,start,end,label\na,one,2,x\n", "segments.csv:2: start is 'one', not a number of seconds"),
        ("video,start,end,label\na,1,nan,x\n", "segments.csv:2: end is 'nan', not a number"),
        ("video,start,end,label\na,-1,2,x\n", "segments.csv:2: start is '-1'"),
        ("video,start,end,label\na,2,2,x\n", "segments.csv:2: the segment ends at 2 s, not after"),
        ("video,start,end,label\n,1,2,x\n", "segments.csv:2: video is empty"),
        ("video,start,end\na,1,2\n", "the column 'label' is missing"),
        ("filename,t-start,action-label\n", "the column 't-end' is missing"),
        ("video,start,end,label\n", "has no row"),
        (PUBLISHED.replace("jump,Action", "jump,No action"), "segments.csv:3: .* but the action label is"),
        (PUBLISHED.replace(",No action", ",Action"), "segments.csv:2: .* but the action label is ''"),
        (PUBLISHED.replace("No action", "Pause"), "segments.csv:2: .*'Pause'; one of Action, No action"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_segments(table(tmp_path, text))


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no CSV table"):
        read_segments(tmp_path / "none.csv")


def test_labels_are_sorted_or_in_the_order_of_a_list(tmp_path: Path) -> None:
    segments = [Segment("a", 0, 1, label, 7) for label in ("spin", "", "fall", "spin")]
    assert read_labels(None, segments) == ("fall", "spin")
    listed = tmp_path / "labels.txt"
    listed.write_text("spin\nrest\n\nfall\n")
    labels = read_labels(listed, segments)
    assert labels == ("spin", "rest", "fall")
    indices = {label: index for index, label in enumerate(labels)}
    assert [action_index(s, indices, Path("t.csv")) for s in segments] == [0, -1, 2, 0]
    with pytest.raises(ConfigError, match=r"t.csv:7: the label 'jump' is none of the 3"):
        action_index(Segment("a", 0, 1, "jump", 7), indices, Path("t.csv"))


@pytest.mark.parametrize(("text", "said"), [("a\nb\na\n", "'a' stands there twice"), ("\n", "no label")])
def test_lists_of_labels_that_cannot_be(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_labels(path, ())

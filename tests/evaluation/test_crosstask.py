"""CrossTask's files and its recall, by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.letters import letters_aligner, seconds
from vidalign.errors import DataError
from vidalign.evaluation.crosstask import (
    Shown,
    annotation_files,
    held_out,
    mean_recall,
    read_annotation,
    read_tasks,
    read_videos,
    steps_found,
)
from vidalign.evaluation.steps import locate

TASKS = "16815\nMake a Latte\nhttps://x\n3\nadd coffee,pour milk,stir\n\n23521\nCut\nhttps://y\n1\ncut\n"


def test_tasks_are_read(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(TASKS)
    tasks = read_tasks(tmp_path / "t.txt")
    assert list(tasks) == ["16815", "23521"]
    assert tasks["16815"].title == "Make a Latte"
    assert tasks["16815"].steps == ("add coffee", "pour milk", "stir")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no task"),
        ("1\nT\nu\n2\na\n", ":5: 1 steps, not 2"),
        ("1\nT\nu\ntwo\na,b\n", ":1: this is no task"),
        ("1\nT\nu\n" + "9" * 5000 + "\na\n", ":1: this is no task"),
        ("1\nT\n", ":1: this is no task"),
    ],
)
def test_other_files_are_no_tasks(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read_tasks(tmp_path / "t.txt")


def test_annotations_are_read_and_found(tmp_path: Path) -> None:
    path = tmp_path / "16815_a_b-C.csv"
    path.write_text("1,2.5,4\n3,7,9.25\n\n")
    (tmp_path / "99_x.csv").write_text("")
    assert read_annotation(path, 3) == (Shown(0, 2.5, 4), Shown(2, 7, 9.25))
    assert annotation_files(tmp_path, {"16815"}) == {("16815", "a_b-C"): path}
    with pytest.raises(DataError, match="no annotation of these tasks"):
        annotation_files(tmp_path, {"1"})
    path.write_text("\n")
    with pytest.raises(DataError, match="shows no step"):
        read_annotation(path, 3)
    for line, message in (
        ("4,1,2", "no step 4, the task has 3"),
        ("0,1,2", "no step 0"),
        ("1,3,2", "no stretch of time"),
        ("1,nan,2", "no stretch of time"),
        ("one,1,2", "'one,1,2' is no step"),
        ("1,2", "'1,2' is no step"),
    ):
        path.write_text(f"1,0,1\n{line}\n")
        with pytest.raises(DataError, match=f":2: .*{message}"):
            read_annotation(path, 3)


def test_a_step_is_found_in_the_whole_seconds_that_show_it() -> None:
    located = locate(seconds("a..bc"), ["a", "b", "c"], letters_aligner())
    assert located.seconds.tolist() == [0.5, 3.5, 4.5]
    for shown, found in (
        (Shown(1, 3.9, 4.2), True),
        (Shown(1, 2.0, 3.0), False),
        (Shown(1, 2.0, 3.1), True),
        (Shown(1, 4.0, 9.0), False),
    ):
        assert steps_found(located, [shown], 5.0) == {1: found}
    assert steps_found(located, [Shown(0, 2, 3), Shown(0, 0, 1), Shown(0, 4, 5)], 5.0) == {0: True}
    assert steps_found(located, [Shown(2, 7, 9), Shown(1, 2, 2)], 5.0) == {}


def test_recall_is_pooled_within_tasks_and_averaged_over_them() -> None:
    hits = np.array([True, False, False, True, True])
    assert mean_recall(hits, np.array([0, 0, 0, 0, 2])) == pytest.approx((2 / 4 + 1) / 2)
    assert math.isnan(mean_recall(hits[:0], np.array([], dtype=np.intp)))


def test_the_published_split(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("".join(f"{t},{t}v{n},u\n" for t in "abc" for n in range(5)))
    (tmp_path / "val.csv").write_text("a,av0,u\n")
    videos, validation = read_videos(tmp_path / "v.csv"), read_videos(tmp_path / "val.csv")
    assert videos["b"] == [f"bv{n}" for n in range(5)]
    chosen = held_out(videos, {"a", "c"}, train=3, validation=validation)
    np.random.seed(0)
    expected = set()
    for task, left in (("a", videos["a"][1:]), ("c", videos["c"])):
        drawn = np.random.choice(left, 3, replace=False).tolist()
        expected |= {(task, video) for video in left if video not in drawn}
    assert chosen == expected and len(chosen) == 1 + 2
    assert held_out(videos, {"a", "c"}, train=4, validation=validation) < {("c", v) for v in videos["c"]}
    for text, message in (("a;b\n", ":1: this names no video"), ("\n", "has no video")):
        (tmp_path / "v.csv").write_text(text)
        with pytest.raises(DataError, match=message):
            read_videos(tmp_path / "v.csv")

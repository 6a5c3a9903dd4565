"""Recall over many videos of many tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.letters import letters_aligner, write_seconds
from vidalign.errors import DataError
from vidalign.evaluation.crosstask import Task, annotation_files
from vidalign.evaluation.files import features_files
from vidalign.evaluation.steps_recall import locate_all, recall_of, split_of

TASKS = {"1": Task("1", "first", ("a", "b")), "2": Task("2", "second", ("c",))}


@pytest.fixture
def annotated(tmp_path: Path) -> Path:
    """Task 1 in two videos, one of which shows b first, task 2 in one."""
    for video, letters in (("x", "a.b."), ("y", "b.ab"), ("z", "c..")):
        write_seconds(tmp_path / "features" / f"{video}.h5", letters)
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "1_x.csv").write_text("1,0,1\n2,2,3\n")
    (tmp_path / "truth" / "1_y.csv").write_text("1,2,3\n2,3,4\n")
    (tmp_path / "truth" / "2_z.csv").write_text("1,2,3\n")
    return tmp_path


def test_order_finds_what_peaks_miss(annotated: Path) -> None:
    files, wanted = features_files(annotated / "features"), annotation_files(annotated / "truth", TASKS)
    found = locate_all(letters_aligner(), TASKS, wanted, files, ["peak", "steps"])
    peak, steps = found.decoders["peak"], found.decoders["steps"]
    assert peak.by_task() == {"1": 0.75, "2": 0.0}
    assert steps.by_task() == {"1": 1.0, "2": 0.0}
    assert (steps.videos, len(steps.hits)) == (3, 5)
    assert recall_of(peak, resamples=0).value == pytest.approx(0.375)
    interval = recall_of(steps, resamples=200)
    assert interval.low == 0 and interval.value == 0.5 and interval.high == 1


def test_missing_and_bad_videos(annotated: Path) -> None:
    (annotated / "features" / "z.h5").unlink()
    (annotated / "truth" / "1_y.csv").write_text("3,0,1\n")
    files, wanted = features_files(annotated / "features"), annotation_files(annotated / "truth", TASKS)
    found = locate_all(letters_aligner(), TASKS, wanted, files, ["steps"])
    assert found.missing == ("z",)
    assert str(found.failed["y"]).startswith("y: ") and "no step 3" in str(found.failed["y"])
    assert found.decoders["steps"].by_task() == {"1": 1.0}
    for name, message in (("x", "no step 3"), ("y", "features for none of the videos")):
        (annotated / "features" / f"{name}.h5").unlink()
        files = features_files(annotated / "features")
        with pytest.raises(DataError, match=message):
            locate_all(letters_aligner(), TASKS, wanted, files, ["steps"])


def test_only_the_test_split(annotated: Path) -> None:
    wanted = annotation_files(annotated / "truth", TASKS)
    lists = annotated / "videos.csv"
    lists.write_text("1,x,u\n1,y,u\n2,z,u\n")
    validation = annotated / "val.csv"
    validation.write_text("1,x,u\n")
    chosen = split_of(wanted, TASKS, train=0, videos=lists, validation=validation)
    assert set(chosen) == {("1", "y"), ("2", "z")}
    assert len(split_of(wanted, TASKS, train=1, videos=lists, validation=None)) == 1
    with pytest.raises(DataError, match="in the test split"):
        split_of(wanted, TASKS, train=2, videos=lists, validation=None)

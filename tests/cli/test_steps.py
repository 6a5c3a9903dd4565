"""`vidalign steps` and `vidalign eval steps` as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.model_folders import nsva_folder
from tests.tiny import Run, made_features
from vidalign.store.features import write_features

STEPS = ("stir the egg", "put the red bowl", "cut", "whisk water")
TASKS = "7\nMake eggs\nhttps://x\n4\n" + ",".join(STEPS) + "\n\n8\nCut\nhttps://y\n1\ncut\n"
EVAL = ("eval", "steps", "tasks.txt", "truth", "--features", "f")
CALL = ("steps", "--features", "f/v.h5", "steps.txt")


@pytest.fixture(autouse=True)
def world(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Features of one video, steps, tasks and annotations, as the current folder."""
    monkeypatch.chdir(tmp_path)
    write_features(Path("f", "v.h5"), made_features(40, video="v.mp4"))
    Path("steps.txt").write_text("\n".join(STEPS))
    Path("tasks.txt").write_text(TASKS)
    Path("truth").mkdir()
    Path("truth", "7_v.csv").write_text("1,0,10\n2,10,20\n4,30,40\n")
    return tmp_path


def lines(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


def test_every_step_in_its_order(cli: Run) -> None:
    code, out, err = cli(*CALL, "--json", "-q")
    assert (code, err) == (0, "")
    rows = lines(out)
    assert [row["step"] for row in rows] == list(STEPS)
    seconds = [row["second"] for row in rows]
    assert seconds == sorted(seconds) and len(set(seconds)) == 4
    assert all(row["start"] <= row["second"] <= row["end"] for row in rows)
    code, out, err = cli(*CALL)
    assert code == 0 and out.splitlines()[1].split() == ["step", "start", "end", "second", "score"]
    assert "mini knows only" in err


def test_free_and_by_other_decoders(cli: Run) -> None:
    found = {
        how: [row["second"] for row in lines(cli(*CALL, "--json", "-q", *how)[1])]
        for how in ((), ("--free",), ("--decoder", "peak"), ("--decoder-option", "cost=softmax"))
    }
    assert found["--free",] == found["--decoder", "peak"] != found[()]
    assert found["--decoder-option", "cost=softmax"] != found[()]


def test_recall_where_annotations_are_given(cli: Run) -> None:
    code, out, err = cli(*CALL, "--annotations", "truth/7_v.csv", "--json")
    assert code == 0
    rows = lines(out)
    assert rows[2]["found"] is None
    hits = [row["found"] for row in rows if row["found"] is not None]
    assert f"recall: {sum(map(bool, hits))} of 3 steps" in err
    inside = [0 <= float(str(rows[0]["second"])) < 10, 10 <= float(str(rows[1]["second"])) < 20]
    assert hits[:2] == inside


def test_the_steps_of_a_task(cli: Run) -> None:
    code, out, err = cli("steps", "--features", "f/v.h5", "tasks.txt", "--task", "8", "--json", "-q")
    assert (code, err) == (0, "") and [row["step"] for row in lines(out)] == ["cut"]
    code, _, err = cli("steps", "--features", "f/v.h5", "tasks.txt", "--task", "9")
    assert code == 2 and "tasks.txt has no task 9; it has 7, 8" in err


def test_a_video_is_looked_at(cli: Run, clip_file: Path) -> None:
    Path("two.txt").write_text("cut\nstir the egg\n")
    code, out, err = cli("steps", clip_file, "two.txt", "--json")
    assert code == 0, err
    assert len(lines(out)) == 2 and "extracting features of" in err
    code, _, err = cli("steps", "gone.mp4", "two.txt", "-q")
    assert code == 1 and len(err.splitlines()) == 1


def test_evaluation_has_a_row_a_decoder(cli: Run) -> None:
    command = ("eval", "steps", "tasks.txt", "truth", "--features", "f", "--resamples", "10", "-q")
    code, out, err = cli(*command, "--json")
    assert (code, err) == (0, "")
    rows = lines(out)
    assert [row["decoder"] for row in rows] == ["peak", "steps", "steps:cost=softmax"]
    assert {(row["tasks"], row["videos"], row["steps"]) for row in rows} == {(1, 1, 3)}
    assert rows[1]["recall"]["value"] == rows[1]["recall_by_task"]["7"]  # type: ignore[index]
    code, out, _ = cli(*command, "--decoder", "dtw:segment=path")
    assert code == 0 and "recall %" in out and "dtw:segment=path" in out
    Path("truth", "8_w.csv").write_text("1,0,1\n")
    code, out, err = cli(*command, "--json")
    assert code == 1 and "no file for 1 of the videos of truth: w" in err
    Path("videos.csv").write_text("7,v,u\n")
    code, _, err = cli(*command, "--videos", "videos.csv", "--train", "0")
    assert (code, err) == (0, "")


def test_a_model_of_sentence_features_is_not_evaluated(cli: Run) -> None:
    nsva_folder(Path("own"))
    code, out, err = cli(*EVAL, "--model", "own", "-q")
    assert (code, out) == (2, "")
    assert (
        "own reads sentence features, which cannot be given here; `vidalign steps` with --text-features"
        in err
    )


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        (("steps", "steps.txt"), 2, "give a video, or its features, and a file of steps"),
        (("steps", "a.mp4", "gone.txt"), 2, "there is no file gone.txt"),
        ((*CALL, "--free", "--decoder", "dtw"), 2, "--free and --decoder exclude each other"),
        (
            (*CALL, "--decoder", "viterbi", "--decoder-option", "prior=1"),
            2,
            "asks when sentences are spoken, steps are not; leave prior out",
        ),
        ((*CALL, "--decoder", "dream"), 2, "unknown decoder 'dream'"),
        (("steps", "--features", "f/v.h5", "empty.txt"), 1, "empty.txt has no step"),
        (("steps", "--features", "f/v.h5", "many.txt"), 1, "50 steps do not fit into 40 seconds"),
        (("steps", "--features", "one.h5", "steps.txt"), 1, "1 clip: no order can be found"),
        (("steps", "--features", "nan.h5", "steps.txt"), 1, "the features hold NaN or infinity"),
        (("steps", "--features", "wide.h5", "steps.txt"), 1, "the features are 5 wide"),
        ((*CALL, "--annotations", "bad.csv"), 1, "bad.csv:1: there is no step 9, the task has 4"),
        ((*CALL, "--text-features", "f/v.h5"), 2, "mini reads the words of sentences itself"),
        (("eval", "steps", "steps.txt", "truth", "--features", "f"), 1, "steps.txt:1: this is no task"),
        (("eval", "steps", "tasks.txt", "f", "--features", "f"), 1, "no annotation of these tasks"),
        (("eval", "steps", "tasks.txt", "truth", "--features", "truth"), 1, "features for none of"),
        ((*EVAL, "--decoder", "viterbi:prior=1"), 2, "asks when sentences are spoken, steps are not"),
        ((*EVAL, "--train", "3"), 2, "--train goes with --videos"),
        (
            ("eval", "steps", "tasks.txt", "truth", "--features", "f", "--validation", "bad.csv"),
            2,
            "--validation goes with --videos",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(cli: Run, given: tuple[str, ...], code: int, told: str) -> None:
    Path("empty.txt").write_text("\n")
    Path("many.txt").write_text("cut\n" * 50)
    Path("bad.csv").write_text("9,0,1\n")
    write_features(Path("one.h5"), made_features(1))
    write_features(Path("wide.h5"), made_features(9, 5))
    broken = made_features(9)
    broken.features[2, 2] = np.nan
    write_features(Path("nan.h5"), broken)
    found, out, err = cli(*given, "-q")
    assert (found, out) == (code, "")
    [line] = err.splitlines()
    assert told in line

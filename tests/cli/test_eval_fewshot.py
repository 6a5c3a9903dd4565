"""`vidalign eval fewshot` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.letters import write_seconds
from tests.tiny import Run

CALL = ("eval", "fewshot", "labels.csv", "--features", "f", "--ways", "2", "--episodes", "30", "--clips", "0")


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Videos of letters upwards and downwards, as the current folder."""
    monkeypatch.chdir(tmp_path)
    names = {"abc": "up", "aabc": "up", "abbc": "up", "cba": "down", "ccba": "down", "cbaa": "down"}
    for letters in names:
        write_seconds(Path("f", f"{letters}.h5"), letters)
    Path("labels.csv").write_text("video,label\n" + "".join(f"{v},{n}\n" for v, n in names.items()))
    return tmp_path


def test_order_recognises_what_single_clips_cannot(cli: Run) -> None:
    code, out, err = cli(*CALL, "--json")
    assert (code, err) == (0, "")
    rows = [json.loads(line) for line in out.splitlines()]
    assert {row["measure"]: row["accuracy"]["value"] for row in rows} == {
        "average": 0.5,
        "dtw": 1.0,
        "otam": 1.0,
    }
    told = {"ways": 2, "shots": 1, "questions": 1, "episodes": 30, "clips": 0, "videos": 6, "classes": 2}
    assert told.items() <= rows[0].items()
    assert cli(*CALL, "--json")[1] == out
    code, out, _ = cli(*CALL, "--measure", "dtw", "--shots", "2")
    assert code == 0 and "accuracy %" in out and "(100.0-100.0)" in out


def test_a_missing_video_is_named(cli: Run) -> None:
    Path("f", "cbaa.h5").unlink()
    code, out, err = cli(*CALL, "--json", "--measure", "dtw")
    assert code == 1 and json.loads(out)["videos"] == 5
    assert "no file for 1 of the videos of labels.csv: cbaa" in err


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        (("--ways", "3"), 2, "2 classes are too few for 3 ways"),
        (("--shots", "3"), 2, "class down has 3 of the 4 videos that an episode draws"),
        (("--ways", "1"), 2, "'--ways'"),
    ],
)
def test_mistakes_are_told_in_one_line(cli: Run, given: tuple[str, ...], code: int, told: str) -> None:
    found, out, err = cli(*CALL, *given)
    assert (found, out) == (code, "")
    [line] = err.splitlines()
    assert told in line

"""`vidalign retrieve` and `vidalign eval retrieve` as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tiny import Run, made_features, write_vtt
from vidalign.store.features import write_features

TEXTS = ("stir the egg", "put the red bowl", "cut", "whisk water")
QUIET = ("-q", "--json")


@pytest.fixture(autouse=True)
def world(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Features of three videos, subtitles of two, as the current folder."""
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("one", "two", "three")):
        write_features(Path("f", f"{name}.h5"), made_features(60, seed=seed, video=f"{name}.mp4"))
    write_vtt(Path("s", "one.vtt"), *TEXTS, step=12.0)
    write_vtt(Path("s", "two.vtt"), *reversed(TEXTS), step=12.0)
    return tmp_path


def lines(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


def test_clips_that_show_a_text(cli: Run) -> None:
    code, out, err = cli("retrieve", "f", "--text", "stir the egg", "--text", "cut", "--top", "4", *QUIET)
    assert (code, err) == (0, "")
    rows = lines(out)
    assert [(row["text"], row["rank"]) for row in rows] == [
        (text, rank) for text in ("stir the egg", "cut") for rank in (1, 2, 3, 4)
    ]
    assert set(rows[0]) == {"text", "rank", "video", "start", "end", "score"}
    scores = [float(str(row["score"])) for row in rows[:4]]
    assert scores == sorted(scores, reverse=True)
    code, out, err = cli("retrieve", "f", "--text", "stir the egg", "--top", "2")
    assert code == 0 and "mini knows only" in err
    assert out.splitlines()[1].split() == ["text", "rank", "video", "start", "end", "score"]
    assert [line.split()[:4] for line in out.splitlines()[3:5]] == [["stir", "the", "egg", n] for n in "12"]


@pytest.mark.parametrize("measure", ["average", "dtw", "otam"])
def test_videos_of_transcripts_and_back(cli: Run, measure: str) -> None:
    code, out, err = cli("retrieve", "f", "s", "--measure", measure, *QUIET)
    assert (code, err) == (0, "")
    forth = lines(out)
    assert [(row["transcript"], row["rank"]) for row in forth] == [
        (name, rank) for name in ("one", "two") for rank in (1, 2, 3)
    ]
    code, out, _ = cli("retrieve", "f", "s", "--back", "--measure", measure, *QUIET)
    back = lines(out)
    assert code == 0 and len(back) == 6
    found = {(row["transcript"], row["video"]): row["distance"] for row in forth}
    assert found == {(row["transcript"], row["video"]): row["distance"] for row in back}
    code, out, _ = cli("retrieve", "f", "s/one.vtt", "--measure", measure, *QUIET)
    assert code == 0 and lines(out) == forth[:3]
    code, out, _ = cli("retrieve", "f", "s", "--background", "removed", "--measure", measure, *QUIET)
    assert code == 0 and {row["video"] for row in lines(out)} == {"one", "two"}


def test_evaluation_has_a_row_each(cli: Run) -> None:
    command = ("eval", "retrieve", "s", "--features", "f", "--resamples", "20")
    write_vtt(Path("s", "four.vtt"), "cut")
    code, out, err = cli(*command, "--background", "kept", "--json")
    assert code == 1 and "no file for 1 of the videos of s: four" in err
    assert json.loads(out.splitlines()[0])["missing"] == ["four"]
    Path("s", "four.vtt").unlink()
    code, out, err = cli(*command, *QUIET)
    assert (code, err) == (0, "")
    rows = lines(out)
    assert [(r["background"], r["measure"], r["direction"]) for r in rows] == [
        (background, measure, direction)
        for background in ("removed", "kept")
        for measure in ("average", "dtw", "otam")
        for direction in ("paragraph to video", "video to paragraph")
    ]
    assert {row["videos"] for row in rows} == {2} and {row["score"] for row in rows} == {"cosine"}
    assert rows[0]["recall_5"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    code, out, _ = cli(*command, "--background", "kept", "--measure", "otam")
    assert code == 0 and "R@1 %" in out and out.count("otam") == 2
    code, out, _ = cli(*command, "--measure", "dtw", "--reference", *QUIET)
    assert code == 0 and {row["reference"] for row in lines(out)} == {True}


def test_segments_of_a_csv(cli: Run) -> None:
    Path("s.csv").write_text("video,start,end,text\none,0,9,cut\none,10,20,stir\ntwo,5,30,put water\n")
    code, out, err = cli("eval", "retrieve", "s.csv", "--features", "f", "--resamples", "0", *QUIET)
    assert (code, err) == (0, "") and len(lines(out)) == 12


def test_words_that_the_model_has_never_seen(cli: Run) -> None:
    code, _, err = cli("retrieve", "f", "--text", "zeppelin")
    assert code == 0 and "100% of the words are outside the dictionary of mini" in err


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        (("retrieve", "f"), 2, "give either --text or TRANSCRIPTS"),
        (("retrieve", "f", "s", "--text", "cut"), 2, "give either --text or TRANSCRIPTS"),
        (("retrieve", "f", "--text", "cut", "--back"), 2, "--back goes with TRANSCRIPTS"),
        (("retrieve", "f", "--text", "cut", "--measure", "dtw"), 2, "--measure goes with TRANSCRIPTS"),
        (("retrieve", "f", "--text", "cut", "--reference"), 2, "--reference goes with TRANSCRIPTS"),
        (("retrieve", "f", "s", "--subset", "val"), 2, "s has no subsets"),
        (("retrieve", "f", "s", "--reference", "--scale", "sum"), 2, "--reference divides by the product"),
        (
            ("eval", "retrieve", "s", "--features", "f", "--reference", "--scale", "sum"),
            2,
            "--reference divides by the product",
        ),
        (("retrieve", "f", "said.json"), 1, "said.json is no file of segments: it has no 'database'"),
        (("retrieve", "f", "--text", " "), 1, "an empty text finds nothing"),
        (
            ("retrieve", "s", "--text", "cut"),
            1,
            "there is no features file in the folder; make them with `vidalign extract",
        ),
        (("retrieve", "f", "f"), 1, "no video with features has a transcript in f"),
        (("retrieve", "f", "empty.vtt"), 1, "no cues were found"),
        (("retrieve", "f", "other.csv"), 1, "there is no column 'video'"),
        (("retrieve", "f", "gone", "--json"), 2, "'gone' does not exist"),
        (("eval", "retrieve", "s.txt", "--features", "f"), 1, "no transcript has features"),
        (("retrieve", "f", "s", "--model", "nsva"), 2, "nsva"),
    ],
)
def test_mistakes_are_told_in_one_line(cli: Run, given: tuple[str, ...], code: int, told: str) -> None:
    Path("empty.vtt").write_text("WEBVTT\n")
    Path("other.csv").write_text("a,b\n1,2\n")
    Path("s.txt").write_text("cut\n")
    Path("said.json").write_text('{"segments": []}')
    found, out, err = cli(*given, "-q")
    assert (found, out) == (code, "")
    [line] = err.splitlines()
    assert told in line


@pytest.mark.parametrize(
    ("broken", "told"),
    [("nan", "two: the features hold NaN or infinity"), ("width", "two: the features are 5 wide")],
)
def test_a_bad_file_is_named_and_the_others_are_searched(cli: Run, broken: str, told: str) -> None:
    features = made_features(60, 5 if broken == "width" else 256)
    if broken == "nan":
        features.features[3, 3] = float("nan")
    write_features(Path("f", "two.h5"), features)
    for given in (("retrieve", "f", "--text", "cut"), ("retrieve", "f", "s")):
        code, out, err = cli(*given, *QUIET)
        assert code == 1 and {row["video"] for row in lines(out)} == {"one", "three"}
        [line] = err.splitlines()
        assert told in line
    code, _, err = cli("eval", "retrieve", "s", "--features", "f", "--background", "kept", *QUIET)
    assert code == 1 and told in err


def test_videos_without_features_are_named(cli: Run) -> None:
    write_vtt(Path("s", "four.vtt"), "cut")
    Path("s.csv").write_text("video,start,end,text\none,0,9,cut\nfour,5,30,put water\n")
    for transcripts in ("s", "s.csv"):
        code, out, err = cli("retrieve", "f", transcripts, "--background", "removed", *QUIET)
        assert code == 1 and out
        [line] = err.splitlines()
        assert f"no file for 1 of the videos of {transcripts}: four" in line


def test_with_both_backgrounds_a_bad_file_is_named_once(cli: Run) -> None:
    write_features(Path("f", "two.h5"), made_features(60, 5))
    write_vtt(Path("s", "four.vtt"), "cut")
    code, _, err = cli("eval", "retrieve", "s", "--features", "f", *QUIET)
    assert code == 1
    assert [line.count("two: the features are 5 wide") for line in err.splitlines()] == [1, 0]

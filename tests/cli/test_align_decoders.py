"""`vidalign align --decoder NAME --decoder-option KEY=VALUE`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vidalign
from tests.tiny import Run, made_features, write_vtt
from vidalign.aligners.decoders import DECODERS
from vidalign.store.alignments import read_alignment
from vidalign.store.features import write_features
from vidalign.types import Features

TEXTS = ("stir the egg", "put water", "whisk the red bowl")
CALL = ("align", "clip.mp4", "words.vtt", "--features", "f.h5")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with features of twelve clips and subtitles, as the current one."""
    monkeypatch.chdir(tmp_path)
    write_features(Path("f.h5"), made_features(12))
    write_vtt(Path("words.vtt"), *TEXTS, step=3.0)
    return tmp_path


@pytest.mark.parametrize("scorer", ["tan", "similarity", "cosine"])
@pytest.mark.parametrize("name", sorted(DECODERS))
def test_every_decoder_with_every_scorer(name: str, scorer: str, tiny: Path, cli: Run) -> None:
    code, out, _ = cli(*CALL, "--decoder", name, "--scorer", scorer, "-o", "x.h5", "--model", "mini")
    assert (code, out) == (0, "x.h5\n")
    made = read_alignment(Path("x.h5"))
    assert made.decoder == name
    assert np.array_equal(np.isfinite(made.segments).all(axis=1), made.aligned)
    assert ((made.confidence > 0) == made.aligned).all()
    assert (made.threshold == 0) == (name in ("drop-dtw", "ot", "viterbi"))


def test_what_is_dropped_is_not_aligned_whatever_the_threshold(tiny: Path, cli: Run) -> None:
    dropping = (*CALL, "--decoder", "viterbi", "--decoder-option", "skip=0")
    assert cli(*dropping, "-o", "x.json")[0] == 0
    assert read_alignment(Path("x.json")).aligned.sum() <= 1
    kept = (*CALL, "--decoder", "viterbi", "--decoder-option", "skip=100")
    assert cli(*kept, "-o", "y.json")[0] == 0
    made = read_alignment(Path("y.json"))
    assert made.aligned.all()
    assert (np.diff(made.segments[:, 0]) >= 0).all()
    assert cli(*kept, "-o", "z.json", "--threshold", "1")[0] == 0
    assert not read_alignment(Path("z.json")).aligned.any()


def test_done_means_the_same_options(tiny: Path, cli: Run) -> None:
    path = (*CALL, "--decoder", "drop-dtw", "--decoder-option", "clips=20")
    assert cli(*path)[0] == 0
    assert read_alignment(Path("clip.align.h5")).decoder == "drop-dtw:clips=20"
    assert "1 already done" in cli(*path, "--decoder-option", "segment=path")[2]
    code, _, err = cli(*CALL, "--decoder", "drop-dtw")
    assert code == 2
    assert "decoder: drop-dtw:clips=20 / drop-dtw)" in err
    code, _, err = cli(*path, "--decoder-option", "clips=30", "--overwrite")
    assert code == 0
    assert read_alignment(Path("clip.align.h5")).decoder == "drop-dtw:clips=30"


def test_in_python_the_decoder_is_written_with_its_options(tiny: Path) -> None:
    made = vidalign.align("clip.mp4", "words.vtt", features="f.h5", decoder="dtw:segment=path")
    assert made.decoder == "dtw:segment=path"


MISTAKES = {
    "unknown option": (("dtw", "speed=3"), "decoder dtw has no option 'speed'; it knows segment"),
    "no value": (("dtw", "segment"), "decoder option 'segment' is not KEY=VALUE"),
    "out of range": (("viterbi", "skip=200"), "decoder option skip=200 is out of range"),
    "unknown decoder": (("dream", "a=b"), "unknown decoder 'dream'; known decoders: peak, dtw, otam"),
    "no decoder": ((None, "segment=path"), "--decoder-option goes with --decoder"),
}


@pytest.mark.parametrize(("given", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_are_told_in_one_line(
    given: tuple[str | None, str], message: str, tiny: Path, cli: Run
) -> None:
    name, option = given
    decoder = () if name is None else ("--decoder", name)
    code, out, err = cli(*CALL, *decoder, "--decoder-option", option)
    assert (code, out) == (2, "")
    [line] = err.splitlines()
    assert message in line


def test_mistakes_import_nothing_heavy(here: Path) -> None:
    program = (
        "import sys; from vidalign.cli.main import main; code = main(sys.argv[1:]);"
        "print(code, *{'torch', 'numpy', 'av', 'h5py', 'decord', 'numba'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", program, *CALL, "--decoder", "dtw", "--decoder-option", "speed=3"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2"]


@pytest.mark.parametrize(
    ("name", "clips", "texts", "message"),
    [
        ("dtw", 1, 3, "the features have 1 clip: no order can be found in that"),
        ("steps", 4, 9, "9 steps do not fit into 4 seconds"),
    ],
    ids=["one clip", "more steps than seconds"],
)
def test_inputs_without_an_order(
    name: str, clips: int, texts: int, message: str, tiny: Path, cli: Run
) -> None:
    write_features(Path("f.h5"), made_features(clips))
    write_vtt(Path("words.vtt"), *["stir the egg"] * texts)
    code, out, err = cli(*CALL, "--decoder", name, "--json")
    assert code == 1
    [line] = [line for line in err.splitlines() if "error" in line]
    assert message in line
    assert json.loads(out)["error"] == "DataError"


BAD = {
    "empty transcript": (lambda: Path("words.vtt").write_text("WEBVTT\n"), "no cues were found"),
    "nothing said": (
        lambda: Path("words.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:01.000\n \n"),
        "none of its 1 cues holds text",
    ),
    "no clip": (lambda: write_features(Path("f.h5"), made_features(0)), "shape (0, 256)"),
    "one clip": (lambda: write_features(Path("f.h5"), made_features(1)), "the features have 1 clip"),
    "NaN": (lambda: write_features(Path("f.h5"), _with_nan()), "the features hold NaN or infinity"),
    "width": (lambda: write_features(Path("f.h5"), made_features(12, 5)), "the features are 5 wide"),
    "of a whole": (lambda: write_features(Path("f.h5"), made_features(1, pooling="avg")), "as a whole"),
}


def _with_nan() -> Features:
    features = made_features(12)
    features.features[4, 4] = np.nan
    return features


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_in_one_line(case: str, tiny: Path, cli: Run) -> None:
    spoil, message = BAD[case]
    spoil()
    code, out, err = cli(*CALL, "--decoder", "drop-dtw", "-o", "x.h5")
    assert (code, out) == (1, "")
    [line] = [line for line in err.splitlines() if "error" in line]
    assert message in line
    assert not Path("x.h5").exists()


def test_subtitles_of_another_video(tiny: Path, cli: Run) -> None:
    write_features(Path("f.h5"), made_features(100))
    Path("words.vtt").write_text("WEBVTT\n\n02:00:00.000 --> 02:00:03.000\nstir the egg\n")
    code, _, err = cli(*CALL, "--decoder", "drop-dtw", "-o", "x.h5")
    assert code == 1
    assert "no sentence was scored against any clip; do the subtitles belong to this video?" in err

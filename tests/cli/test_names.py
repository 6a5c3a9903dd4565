"""A name that is nearly known: every place where names are looked up says which was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidalign.cli.main import main
from vidalign.errors import did_you_mean

LINES = {
    "show": (["models", "show", "tan-htm370"], "unknown model 'tan-htm370'; did you mean 'tan-htm370k'?"),
    "fetch": (["models", "fetch", "tempcl"], "unknown model 'tempcl'; did you mean 'tempclr'?"),
    "checkpoint": (
        ["models", "show", "tsp-r3d-18@tac_on_kinetic"],
        "model 'tsp-r3d-18' has no checkpoint 'tac_on_kinetic'; did you mean 'tac_on_kinetics'?",
    ),
    "model": (["align", "x.mp4", "x.vtt", "--model", "mimi"], "unknown model 'mimi'; did you mean 'mini'?"),
    "backbone": (["extract", "x.mp4", "-o", "out", "--backbone", "c33d"], "did you mean 'c3d'?"),
    "beginning": (
        ["extract", "x.mp4", "-o", "out", "--backbone", "s3d"],
        "did you mean 's3d-howto100m' or 's3d-kinetics'?",
    ),
    "recipe": (["extract", "x.mp4", "-o", "out", "--recipe", "s3d-16fp"], "did you mean 's3d-16fps'?"),
    "decoder": (
        ["align", "x.mp4", "x.vtt", "--decoder", "viterbbi"],
        "unknown decoder 'viterbbi'; did you mean 'viterbi'?",
    ),
    "decoder option": (
        ["align", "x.mp4", "x.vtt", "--decoder", "dtw", "--decoder-option", "segmnt=path"],
        "decoder dtw has no option 'segmnt'; did you mean 'segment'?",
    ),
    "scorer": (
        ["align", "x.mp4", "x.vtt", "--model", "mini", "--scorer", "cosin"],
        "unknown scorer 'cosin'; did you mean 'cosine'?",
    ),
    "format": (["export", "x.align.h5", "--to", "audcity"], "did you mean 'audacity'?"),
}


@pytest.mark.parametrize(("line", "said"), LINES.values(), ids=LINES)
def test_the_nearest_name_is_told(
    line: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("x.mp4", "x.vtt", "x.align.h5"):
        Path(name).write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nStir.\n")
    assert main(line) == 2
    assert said in capsys.readouterr().err


def test_a_name_like_no_other_gets_all_of_them_or_what_the_place_says() -> None:
    assert did_you_mean("", ["one", "two"]) == "known: one, two"
    assert did_you_mean("zzz", ["one", "two"]) == "known: one, two"
    assert did_you_mean("zzz", ["one", "two"], "see the list") == "see the list"
    assert did_you_mean(3, {"on": 1}) == "known: on"

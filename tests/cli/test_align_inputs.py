"""What an alignment was made from: other inputs are noticed, settings beyond reason refused."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import pytest

import vidalign
from tests.tiny import Run, draw_video, made_features, write_vtt
from vidalign.store.features import write_features
from vidalign.weights.cards import get_card
from vidalign.weights.defaults import set_default_model

TEXTS = ("stir the egg", "put water", "whisk the red bowl")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, clip_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a video and its subtitles under another name, as the current one."""
    monkeypatch.chdir(tmp_path)
    Path("clip.mp4").write_bytes(clip_file.read_bytes())
    write_vtt(Path("words.vtt"), *TEXTS)
    return tmp_path


def test_other_features_under_a_finished_output_are_refused(tiny: Path, cli: Run) -> None:
    for seed in (1, 2):
        write_features(Path(f"{seed}.h5"), made_features(seed=seed))
    command = ("align", "clip.mp4", "words.vtt", "-o", "x.json", "--features")
    assert cli(*command, "1.h5")[0] == 0
    assert "1 already done" in cli(*command, "1.h5")[2]
    code, _, err = cli(*command, "2.h5")
    assert code == 1
    assert "the input has changed since x.json was made" in err and "features:" in err


def test_another_video_of_the_same_name_is_refused(tiny: Path, cli: Run) -> None:
    assert cli("align", "clip.mp4", "words.vtt")[0] == 0
    draw_video(Path("clip.mp4"), seconds=5)
    code, _, err = cli("align", "clip.mp4", "words.vtt")
    assert code == 1
    assert "video_size:" in err


def test_features_of_other_weights_are_refused(tiny: Path, cli: Run) -> None:
    write_features(Path("f.h5"), made_features(weights_sha256="ab" * 32))
    code, _, err = cli("align", "clip.mp4", "words.vtt", "--features", "f.h5")
    assert code == 1
    assert "other weights of mini (sha256 abababababab...)" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--margin", "inf"), "margin is inf; give a finite number"),
        (("--margin", "nan"), "margin is nan"),
        (("--threshold", "nan"), "threshold is nan"),
        (("--min-confidence", "nan"), "min_confidence is nan"),
    ],
)
def test_numbers_beyond_reason_are_refused(
    options: tuple[str, str], message: str, tiny: Path, cli: Run
) -> None:
    code, _, err = cli("align", "clip.mp4", "words.vtt", "-o", "x.json", *options)
    assert code == 2
    assert message in err
    assert not Path("x.json").exists()


def test_two_ways_to_the_features_exclude_each_other(tiny: Path, cli: Run) -> None:
    write_features(Path("f.h5"), made_features())
    code, _, err = cli("align", "clip.mp4", "words.vtt", "--features", "f.h5", "--save-features", "kept")
    assert code == 2
    assert "exclude each other" in err


def test_the_cosine_baseline(tiny: Path, cli: Run) -> None:
    assert cli("align", "clip.mp4", "words.vtt", "-o", "dot.h5", "--scorer", "similarity")[0] == 0
    assert cli("align", "clip.mp4", "words.vtt", "-o", "cos.h5", "--scorer", "cosine")[0] == 0
    dot, cosine = vidalign.load_alignment(Path("dot.h5")), vidalign.load_alignment(Path("cos.h5"))
    assert (dot.score, cosine.score) == ("dot", "cosine")
    assert dot.similarity is not None and cosine.similarity is not None
    assert abs(cosine.similarity).max() <= 1.0001
    assert abs(dot.similarity - cosine.similarity).max() > 1e-3
    code, _, err = cli("align", "clip.mp4", "words.vtt", "-o", "dot.h5", "--scorer", "cosine")
    assert code == 2 and "score: dot / cosine" in err


def test_a_name_with_a_colon_and_no_subtitles_beside(tiny: Path, cli: Run) -> None:
    Path("talk: part 1.mp4").write_bytes(Path("clip.mp4").read_bytes())
    code, _, err = cli("align", "talk: part 1.mp4")
    assert code == 2
    assert "Protocol" not in err
    assert "subtitles" in err


def test_strict_counts_a_broken_file_as_failed(tiny: Path, cli: Run, broken_file: Path) -> None:
    assert cli("align", broken_file, "words.vtt", "-o", "x.h5")[0] == 0
    assert cli("align", broken_file, "words.vtt", "-o", "y.h5", "--strict")[0] == 1


def test_json_on_stdout_and_low_confidence(tiny: Path, cli: Run) -> None:
    code, out, _ = cli("align", "clip.mp4", "words.vtt", "-o", "-", "--json", "--threshold", "0")
    assert code == 0
    assert len(json.loads(out)["similarity"]) == 3
    code, out, err = cli(
        "align", "clip.mp4", "words.vtt", "-o", "-", "--min-confidence", "1", "--threshold", "1"
    )
    assert (code, out) == (3, "")
    assert "is below 1" in err


def test_rolling_and_encoding_reach_the_reader(tiny: Path, cli: Run) -> None:
    Path("words.srt").write_bytes("1\n00:00:00,000 --> 00:00:01,000\nput \xe9gg\n".encode("latin-1"))
    arguments = (
        "align",
        "clip.mp4",
        "words.srt",
        "-o",
        "x.json",
        "--encoding",
        "latin-1",
        "--rolling",
        "keep",
    )
    assert cli(*arguments)[0] == 0
    assert json.loads(Path("x.json").read_text())["cues"][0]["text"] == "put \xe9gg"


def test_the_model_of_models_use_is_in_both_outputs(
    tiny: Path, cli: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VIDALIGN_CONFIG_DIR", str(tmp_path / "config"))
    set_default_model(get_card("tan-htm370k"))
    code, _, err = cli("align", "clip.mp4", "words.vtt")
    assert code == 2 and "tan-htm370k" in err
    code, _, err = cli("extract", "clip.mp4", "-o", "out")
    assert code == 2 and "s3d-howto100m" in err
    assert cli("models", "use", "--reset")[0] == 0
    assert cli("align", "clip.mp4", "words.vtt")[0] == 0
    assert cli("extract", "clip.mp4", "-o", "out")[0] == 0
    with h5py.File("clip.align.h5") as aligned, h5py.File("out/clip.h5") as extracted:
        assert aligned.attrs["model"] == extracted.attrs["backbone"] == "mini"


def test_settings_from_flag_variable_and_file(tiny: Path, cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("vidalign.yaml").write_text("extract: {dtype: float32}\n")
    dtypes = {}
    for name, variable, flags in (
        ("file", None, ()),
        ("variable", "float16", ()),
        ("flag", "float16", ("--dtype", "float32")),
    ):
        if variable is not None:
            monkeypatch.setenv("VIDALIGN_EXTRACT_DTYPE", variable)
        assert cli("extract", "clip.mp4", "-o", name, *flags)[0] == 0
        with h5py.File(f"{name}/clip.h5") as file:
            dtypes[name] = str(file["features"].dtype)
    assert dtypes == {"file": "float32", "variable": "float16", "flag": "float32"}

"""VideoCLIP and TempCLR through the command line, with a small random network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import vidalign
from tests.model_folders import backbone_folder, embedded, videoclip_folder
from tests.tiny import Run, draw_video, made_features, write_vtt
from vidalign.store.features import write_features
from vidalign.training.product import FeatureSource

TEXTS = ("stir the egg", "put the red bowl", "cut")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    card = backbone_folder(folder / "s3d", recipe=embedded())
    videoclip_folder(folder / "clip", FeatureSource(card, embedded(), copied=True), score="cosine")
    return folder / "clip"


def test_a_video_is_aligned(cli: Run, model: Path, tmp_path: Path) -> None:
    video = draw_video(tmp_path / "a.mp4", 6.0)
    words = write_vtt(tmp_path / "a.vtt", *TEXTS, step=2.0)
    line = ("align", video, words, "-o", tmp_path / "a.align.h5", "--model", model)
    code, _, err = cli(*line, "--save-features", tmp_path / "features")
    assert code == 0, err
    made = vidalign.load_alignment(tmp_path / "a.align.h5")
    assert (made.scorer, made.score, made.text_model) == ("tempclr", "cosine", "bert")
    assert made.similarity is not None and made.similarity.shape == (3, 6)
    assert dict(made.windowing) == {"mode": "overlap", "size": 4, "stride": 2}
    features = vidalign.load_features(tmp_path / "features" / "a.h5")
    assert features.recipe is not None and features.recipe.name == "tiny-embedded"
    assert features.features.shape == (6, 16)
    code, _, err = cli(*line, "--margin", "3")
    assert code == 0 and "already done" in err, "the margin plays no part"
    ordered = cli(*line[:3], "-o", tmp_path / "c.align.h5", "--model", model, "--decoder", "dtw")
    assert ordered[0] == 0, ordered[2]
    starts = vidalign.load_alignment(tmp_path / "c.align.h5").segments[:, 0]
    assert (np.diff(starts[~np.isnan(starts)]) >= 0).all()
    plain = cli(*line[:3], "-o", tmp_path / "b.align.h5", "--model", model, "--scorer", "similarity")
    assert plain[0] == 0, plain[2]


def test_evaluations_take_it(cli: Run, model: Path, tmp_path: Path) -> None:
    video = draw_video(tmp_path / "a.mp4", 5.0)
    assert cli("extract", video, "-o", tmp_path / "f", "--backbone", model / "backbone")[0] == 0
    truth = {"a": [[1, 0.5, 1.5, "put the egg"], [0, 2.0, 3.0, "whisk"]]}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "s.csv").write_text("video,start,end,text\na,0,2,egg\na,1.5,5,whisk\na,4.2,4.4,pan\n")
    line = ("--features", tmp_path / "f", "--model", model, "--resamples", "0", "--json")
    for protocol in ("tan", "nsva", "norton"):
        code, out, err = cli("eval", "align", tmp_path / "truth.json", *line, "--protocol", protocol)
        assert code == 0, err
        row = json.loads(out)
        assert (row["videos"], row["encoders"], row["failed"]) == (1, None, {})
    code, out, err = cli("eval", "retrieval", tmp_path / "s.csv", *line)
    assert code == 0, err
    assert [json.loads(text)["segments"] for text in out.splitlines()] == [3, 3, 3]


def test_retrieval_and_steps_take_it(cli: Run, model: Path, tmp_path: Path) -> None:
    for name in "ab":
        write_features(
            tmp_path / "f" / f"{name}.h5", made_features(20, 16, seed=ord(name), backbone=None, recipe=None)
        )
        write_vtt(tmp_path / "s" / f"{name}.vtt", *TEXTS, step=6.0)
    (tmp_path / "steps.txt").write_text("\n".join(TEXTS))
    line = ("--model", model, "--json", "-q")
    code, out, err = cli("retrieve", tmp_path / "f", "--text", "cut", "--top", "3", *line)
    assert code == 0 and len(out.splitlines()) == 3, err
    for reference in ((), ("--reference",)):
        code, out, err = cli(
            *("eval", "retrieve", tmp_path / "s", "--features", tmp_path / "f", "--resamples", "0"),
            *(*line, *reference),
        )
        assert code == 0, err
        by_measure = {row["measure"]: row["score"] for row in map(json.loads, out.splitlines())}
        assert by_measure == dict.fromkeys(("average", "dtw", "otam"), "dot" if reference else "cosine")
    code, out, err = cli("steps", "--features", tmp_path / "f" / "a.h5", tmp_path / "steps.txt", *line)
    assert code == 0 and [json.loads(row)["step"] for row in out.splitlines()] == list(TEXTS), err


def test_what_is_wrong_is_one_line(cli: Run, model: Path, tmp_path: Path) -> None:
    words = write_vtt(tmp_path / "a.vtt", *TEXTS)
    write_features(tmp_path / "wide.h5", made_features(5, 20, backbone=None, recipe=None))
    bad = made_features(5, 16, backbone=None, recipe=None)
    bad.features[2, 3] = float("nan")
    write_features(tmp_path / "nan.h5", bad)
    write_features(tmp_path / "mini.h5", made_features(5))
    write_features(tmp_path / "one.h5", made_features(1, 16, backbone=None, recipe=None))
    (tmp_path / "empty.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:01.000\n<b></b>\n")
    told = {
        "wide.h5": "the features are 20 wide",
        "nan.h5": "the features hold NaN or infinity",
        "mini.h5": "the features come from backbone mini",
    }
    for name, message in told.items():
        code, out, err = cli(
            *("align", "a.mp4", words, "--features", tmp_path / name, "--model", model),
            *("-o", tmp_path / "x.align.h5"),
        )
        assert code == 1 and message in err and err.strip().count("\n") == 0 and not out, err
    one = ("--features", tmp_path / "one.h5", "--model", model, "-o", tmp_path / "one.align.h5")
    assert cli("align", "one.mp4", words, *one)[0] == 0
    code, _, err = cli("align", "one.mp4", tmp_path / "empty.vtt", *one, "--overwrite")
    assert code == 1 and "holds text" in err and err.strip().count("\n") == 0
    code, _, err = cli("align", "one.mp4", words, *one, "--overwrite", "--text-features", tmp_path / "one.h5")
    assert code == 2 and "own-clip reads the words of sentences itself" in err
    for name in ("videoclip", "tempclr"):
        code, _, err = cli("align", "one.mp4", words, *one[:2], "--model", name, "-o", tmp_path / "y.h5")
        assert code == 2 and "vidalign models add" in err and err.strip().count("\n") == 0


def test_a_vocabulary_of_another_model_is_refused(cli: Run, model: Path, tmp_path: Path) -> None:
    import shutil

    import yaml

    other = shutil.copytree(model, tmp_path / "other")
    lines = (other / "vocab.txt").read_text().splitlines()
    (other / "vocab.txt").write_text("\n".join([*lines, "surplus"]) + "\n")
    card = yaml.safe_load((other / "card.yaml").read_text())
    for entry in card["files"]:
        if entry["role"] == "vocab":
            del entry["sha256"], entry["size"]
    (other / "card.yaml").write_text(yaml.safe_dump(card))
    write_features(tmp_path / "one.h5", made_features(1, 16, backbone=None, recipe=None))
    words = write_vtt(tmp_path / "a.vtt", *TEXTS)
    code, _, err = cli(
        *("align", "one.mp4", words, "--features", tmp_path / "one.h5", "--model", other),
        *("-o", tmp_path / "x.h5"),
    )
    assert code != 0 and "a vocabulary of 16 entries, but the model's text BERT has 15" in err

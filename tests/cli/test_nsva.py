"""NSVA and sentence features through the command line, with small random networks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import vidalign
from tests.hf_models import clip_folder
from tests.model_folders import backbone_folder, embedded, nsva_folder
from tests.tiny import Run, draw_video, made_features, write_vtt
from vidalign.store.features import write_features
from vidalign.store.text_features import read_text_features, write_text_features
from vidalign.training.product import FeatureSource
from vidalign.types import TextFeatures

TEXTS = ("stir the egg", "put the red bowl", "cut")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`any` reads any features 12 and 10 wide, `own` those of the S3D beside it, and its sentences."""
    folder = tmp_path_factory.mktemp("models")
    nsva_folder(folder / "any", ordered=False)
    card = backbone_folder(folder / "s3d", recipe=embedded())
    nsva_folder(folder / "own", FeatureSource(card, embedded(), copied=True))
    return folder


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Video features 12 wide, subtitles and vectors of their sentences 10 wide."""
    write_features(tmp_path / "f" / "a.h5", made_features(8, 12, backbone=None, recipe=None, video="a.mp4"))
    write_vtt(tmp_path / "a.vtt", *TEXTS, step=2.0)
    np.save(tmp_path / "a.npy", np.random.default_rng(0).standard_normal((3, 10)).astype(np.float16))
    return tmp_path


def align_line(inputs: Path, model: Path, *more: str | Path) -> tuple[str | Path, ...]:
    return ("align", "a.mp4", inputs / "a.vtt", "--features", inputs / "f" / "a.h5", "--model", model, *more)


def import_texts(cli: Run, inputs: Path) -> Path:
    target = inputs / "t" / "a.h5"
    line = ("extract-text", inputs / "a.vtt", "-o", target, "--model", "internvideo-mm-l14")
    code, out, err = cli(*line, "--vectors", inputs / "a.npy")
    assert (code, out.strip(), err) == (0, str(target), "")
    return target


def test_vectors_made_elsewhere_align(cli: Run, models: Path, inputs: Path) -> None:
    texts = import_texts(cli, inputs)
    found = read_text_features(texts)
    assert (found.text, found.model, found.features.dtype) == (TEXTS, "internvideo-mm-l14", np.float16)
    line = align_line(inputs, models / "any", "--text-features", texts, "-o", inputs / "a.align.h5")
    code, _, err = cli(*line)
    assert code == 0, err
    made = vidalign.load_alignment(inputs / "a.align.h5")
    assert (made.scorer, made.score, made.text_model) == ("nsva", "cosine", "internvideo-mm-l14")
    assert made.similarity is not None and made.similarity.shape == (3, 8)
    assert made.alignability_kind == "rank"
    code, _, err = cli(*line)
    assert code == 0 and "already done" in err
    write_text_features(texts, replace(found, features=found.features[::-1].copy()))
    code, _, err = cli(*line)
    assert code == 1 and "text features: " in err and "the input has changed" in err
    same = vidalign.align(
        "a.mp4",
        inputs / "a.vtt",
        features=inputs / "f" / "a.h5",
        text_features=found,
        model=str(models / "any"),
    )
    np.testing.assert_array_equal(same.similarity, made.similarity)


def test_steps_are_found_by_their_vectors(cli: Run, models: Path, inputs: Path) -> None:
    texts = import_texts(cli, inputs)
    (inputs / "steps.txt").write_text("\n".join(TEXTS))
    line = ("steps", "--features", inputs / "f" / "a.h5", inputs / "steps.txt", "--model", models / "any")
    code, out, err = cli(*line, "--text-features", texts, "--json")
    assert (code, err) == (0, "")
    assert [json.loads(row)["step"] for row in out.splitlines()] == list(TEXTS)
    code, _, err = cli(*line)
    assert code == 2 and "own-nsva reads sentence features, not words" in err
    (inputs / "steps.txt").write_text("\n".join(TEXTS[:2]))
    code, _, err = cli(*line, "--text-features", texts)
    assert code == 1 and len(err.splitlines()) == 1
    code, _, err = cli("retrieve", inputs / "f", "--text", "cut", "--model", models / "any")
    assert code == 2 and "own-nsva has no vectors of clips and texts to compare" in err


def test_a_table_of_pairs_names_them(cli: Run, models: Path, inputs: Path) -> None:
    import_texts(cli, inputs)
    (inputs / "pairs.csv").write_text("video,subtitles,features,text_features\na.mp4,a.vtt,f/a.h5,t/a.h5\n")
    code, out, err = cli(
        *("align", "--pairs", inputs / "pairs.csv", "-o", inputs / "out", "--model", models / "any"),
        *("--root", inputs),
    )
    assert code == 0, err
    assert Path(out.strip()).name == "a.align.h5"


def test_a_text_tower_reads_the_words(cli: Run, models: Path, tmp_path: Path) -> None:
    video = draw_video(tmp_path / "a.mp4", 5.0)
    words = write_vtt(tmp_path / "a.vtt", *TEXTS)
    line = ("align", video, words, "--model", models / "own", "-o", tmp_path / "a.align.json")
    code, _, err = cli(*line)
    assert code == 0, err
    made = vidalign.load_alignment(tmp_path / "a.align.json")
    assert (made.scorer, made.text_model, made.text_features_sha256) == ("nsva", "word2vec", None)
    texts = tmp_path / "said.h5"
    assert cli("extract-text", words, "-o", texts, "--model", models / "own")[0] == 0
    assert cli("extract-text", words, "-o", texts, "--model", models / "own" / "backbone")[0] == 0, "the same"
    code, _, err = cli(*line[:-1], tmp_path / "b.align.json", "--text-features", texts)
    assert code == 0, err
    other = vidalign.load_alignment(tmp_path / "b.align.json")
    np.testing.assert_allclose(other.similarity, made.similarity, atol=1e-6)
    assert other.text_features_sha256 is not None and other.text_model == "own-s3d"


def test_clip_s_text_tower_makes_vectors(cli: Run, tmp_path: Path) -> None:
    model = clip_folder(tmp_path / "tiny-clip")
    words = write_vtt(tmp_path / "a.vtt", "put the egg", "pan")
    code, out, err = cli("extract-text", words, "-o", tmp_path / "a.h5", "--model", model, "--json")
    assert code == 0, err
    assert json.loads(out)["status"] == "done"
    found = read_text_features(tmp_path / "a.h5")
    assert (found.features.shape, found.model) == ((2, 8), "hf:tiny-clip") and found.weights_sha256
    again = cli("extract-text", words, "-o", tmp_path / "a.h5", "--model", model, "--json")
    assert json.loads(again[1])["status"] == "skipped"


def test_the_evaluation_takes_a_folder_of_them(cli: Run, models: Path, inputs: Path) -> None:
    import_texts(cli, inputs)
    rows = [[k % 2, 2.0 * k, 2.0 * k + 1, text] for k, text in enumerate(TEXTS)]
    (inputs / "truth.json").write_text(json.dumps({"a": rows}))
    line = ("eval", "align", inputs / "truth.json", "--features", inputs / "f", "--model", models / "any")
    given = ("--text-features", inputs / "t", "--resamples", "0", "--json")
    for protocol in ("nsva", "tan"):
        code, out, err = cli(*line, *given, "--protocol", protocol)
        assert code == 0, err
        assert json.loads(out)["videos"] == 1
    code, _, err = cli(*line)
    assert code == 2 and "own-nsva reads sentence features, not words" in err
    (inputs / "t" / "a.h5").rename(inputs / "t" / "b.h5")
    code, _, err = cli(*line, *given)
    assert code == 1 and "a: no text features for it" in err
    (inputs / "s.csv").write_text("video,start,end,text\na,0,2,egg\n")
    code, _, err = cli(
        "eval", "retrieval", inputs / "s.csv", "--features", inputs / "f", "--model", models / "any"
    )
    assert code == 2 and "no vectors of clips and texts" in err


def test_what_does_not_fit_is_one_line(cli: Run, models: Path, inputs: Path) -> None:
    texts = import_texts(cli, inputs)
    target, found = inputs / "x.align.h5", read_text_features(texts)

    def told(code: int, message: str, *line: str | Path) -> None:
        ended, out, err = cli(*line)
        assert (ended, out) == (code, "") and message in err and err.strip().count("\n") == 0, err

    any_line = align_line(inputs, models / "any", "-o", target)
    told(2, "own-nsva reads sentence features, not words", *any_line)
    bad: dict[str, TextFeatures] = {
        "sentences instead of 3": replace(found, features=found.features[:2], text=found.text[:2]),
        "sentence 2 is 'pour'": replace(found, text=(TEXTS[0], "pour", TEXTS[2])),
        "are 4 wide, this model wants 10": replace(found, features=found.features[:, :4].copy()),
    }
    for message, one in bad.items():
        write_text_features(inputs / "bad.h5", one)
        told(1, message, *any_line, "--text-features", inputs / "bad.h5")
    told(1, "but vidalign.text/1 is expected", *any_line, "--text-features", inputs / "f" / "a.h5")
    write_features(inputs / "f" / "a.h5", made_features(8, 11, backbone=None, recipe=None, video="a.mp4"))
    told(1, "the features are 11 wide, own-nsva needs 12", *any_line, "--text-features", texts)
    told(
        *(2, "is not a backbone", "align", draw_video(inputs / "a.mp4"), inputs / "a.vtt"),
        *("--model", models / "any", "--text-features", texts, "-o", target),
    )
    told(
        *(2, "--text-features goes with one video", "align", inputs, "-o", inputs / "out"),
        *("--text-features", texts, "--model", models / "any"),
    )


def test_features_of_a_known_model_are_doubted(cli: Run, models: Path, inputs: Path) -> None:
    texts = import_texts(cli, inputs)
    write_features(inputs / "f" / "a.h5", made_features(8, 12, video="a.mp4"))
    line = align_line(inputs, models / "any", "--text-features", texts, "-o", inputs / "a.align.h5")
    code, _, err = cli(*line)
    assert code == 0 and "what it says of those of mini means nothing" in err


def test_wrong_vectors_are_told(cli: Run, inputs: Path) -> None:
    line = ("extract-text", inputs / "a.vtt", "-o", inputs / "t.h5", "--model", "x", "--vectors")
    wrong = {
        "has 2 vectors for 3 sentences": np.zeros((2, 4), np.float32),
        "does not hold vectors, one a row": np.zeros(3, np.float32),
        "sentence 2 holds NaN": np.array([[1.0], [np.nan], [2.0]], np.float32),
    }
    for message, array in wrong.items():
        np.save(inputs / "wrong.npy", array)
        code, out, err = cli(*line, inputs / "wrong.npy")
        assert code == 1 and message in err and err.strip().count("\n") == 0 and not out, err
    code, _, err = cli(*line, inputs / "a.vtt")
    assert code == 1 and "cannot be read as an array" in err
    code, _, err = cli("extract-text", inputs / "a.vtt", "-o", inputs / "t.json", "--model", "mini")
    assert code == 2 and ".h5" in err
    code, _, err = cli("extract-text", inputs / "a.vtt", "-o", inputs / "t.h5", "--model", "i3d-rgb")
    assert code == 2 and err.strip().count("\n") == 0
    import_texts(cli, inputs)
    np.save(inputs / "a.npy", np.ones((3, 10), np.float16))
    again = ("extract-text", inputs / "a.vtt", "-o", inputs / "t" / "a.h5", "--vectors", inputs / "a.npy")
    code, _, err = cli(*again, "--model", "internvideo-mm-l14")
    assert code == 2 and "was made of other vectors" in err
    code, _, err = cli(*again, "--model", "y", "--overwrite")
    assert code == 0 and read_text_features(inputs / "t" / "a.h5").model == "y"

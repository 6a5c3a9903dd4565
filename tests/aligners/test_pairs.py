"""A text tower beside its picture tower aligns: cosine, the weights' own temperature, both layers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers.models.clip.modeling_clip import CLIPModel

from tests.hf_models import clip_folder, clip_tokenizer
from vidalign.aligners.align import align_features
from vidalign.aligners.registry import Aligner, load_aligner
from vidalign.aligners.spec import aligner_spec, words_of
from vidalign.aligners.windowing import Windowing
from vidalign.errors import DataError, ModelError
from vidalign.text.sentences import make_transcript
from vidalign.text.subtitles import parse_subtitles
from vidalign.types import Features
from vidalign.weights.cards import get_card

SAID = b"WEBVTT\n\n00:00.000 --> 00:01.000\nPut the egg\n\n00:01.000 --> 00:02.000\nwhisk it " + b"well " * 40


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip_folder(tmp_path_factory.mktemp("models") / "tiny-clip")


@pytest.fixture(scope="module")
def aligner(clip: Path) -> Aligner:
    return load_aligner(str(clip))


def features(width: int = 8, clips: int = 5) -> Features:
    values = np.random.default_rng(0).standard_normal((clips, width)).astype(np.float32)
    times = np.stack([np.arange(clips), np.arange(clips) + 1], axis=1).astype(np.float64)
    return Features(values, times)


def test_scores_are_the_cosines_of_transformers_own_vectors(clip: Path, aligner: Aligner) -> None:
    theirs, texts = CLIPModel.from_pretrained(clip).eval(), ["put the egg", "whisk"]
    sentences = make_transcript(
        parse_subtitles(SAID.replace(b"it " + b"well " * 40, b""), format="vtt"), "cue"
    ).sentences
    with torch.inference_mode():
        given = clip_tokenizer()(texts, padding=True, return_tensors="pt")
        text = theirs.get_text_features(**given).pooler_output.numpy()
    video = features()
    expected = text @ video.features.T
    expected /= np.linalg.norm(text, axis=1)[:, None] * np.linalg.norm(video.features, axis=1)
    found = aligner.scorer.score(video, sentences, Windowing())
    np.testing.assert_allclose(found.similarity, expected, rtol=1e-4, atol=1e-5)
    assert found.head is None and aligner.scorer.known_words(sentences) is None
    assert aligner.spec.temperature == pytest.approx(0.01, rel=1e-4) and aligner.scorer.score_name == "cosine"


def test_an_alignment_has_ranks_and_cuts_long_sentences_off(aligner: Aligner) -> None:
    transcript = make_transcript(parse_subtitles(SAID, format="vtt"), "cue")
    made = align_features(features(), transcript, aligner)
    assert made.alignability_kind == "rank" and made.text_model == "transformer"
    assert made.similarity is not None and np.isfinite(made.similarity).all()


def test_features_before_the_projection_serve_too(aligner: Aligner) -> None:
    transcript = make_transcript(parse_subtitles(SAID, format="vtt"), "cue")
    pooled = features(24)
    tower = aligner.scorer.tower  # type: ignore[attr-defined]
    with torch.inference_mode():
        projected = tower.clips(torch.from_numpy(pooled.features)).numpy()
    first = align_features(pooled, transcript, aligner).similarity
    second = align_features(Features(projected, pooled.times), transcript, aligner).similarity
    np.testing.assert_allclose(first, second, atol=1e-6)
    with pytest.raises(DataError, match="the features are 11 wide, this model has image_embeds 8, pooled 24"):
        align_features(features(11), transcript, aligner)


def test_its_own_score_by_any_name_keeps_its_temperature(clip: Path) -> None:
    card = get_card(str(clip))
    assert aligner_spec(card, "cosine") is card.aligner is aligner_spec(card, "similarity")
    assert words_of(card, aligner_spec(card)) == (card, ("tokenizer", "tokenizer_config"))


def test_a_backbone_without_sentences_is_told() -> None:
    card = get_card("s3d-howto100m")
    assert words_of(card, aligner_spec(card, "cosine"))[1] == ("dictionary",)
    tan = get_card("tan-htm370k")
    assert words_of(tan, aligner_spec(tan)) == (tan, ("dictionary",))


def test_the_tokenizer_of_another_model_is_refused(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in clip.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    values = json.loads((other / "tokenizer.json").read_text("utf-8"))
    values["model"]["vocab"]["surplus"] = len(values["model"]["vocab"])
    (other / "tokenizer.json").write_text(json.dumps(values), "utf-8")
    with pytest.raises(ModelError, match=r"a vocabulary of 59 entries, but the model's text tower has 58"):
        load_aligner(str(other))


def test_weights_that_do_not_fit_are_named(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file in clip.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    config = json.loads((other / "config.json").read_text("utf-8"))
    config["vision_config"]["num_hidden_layers"] = 3
    (other / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ModelError, match=r"16 missing \(vision_model.encoder.layers.2"):
        load_aligner(str(other))
    config["vision_config"]["num_hidden_layers"] = "two"
    (other / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ModelError, match="the card's config makes no clip"):
        load_aligner(str(other))

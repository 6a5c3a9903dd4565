"""Features and a transcript become an alignment: what is refused, how labels and segments hang together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tiny import made_features, with_head
from vidalign.aligners.align import AlignSettings, align_features
from vidalign.aligners.registry import Aligner, load_aligner
from vidalign.aligners.windowing import Windowing
from vidalign.errors import DataError, MissingModelError, ModelError
from vidalign.types import Cue, Sentence, Transcript
from vidalign.weights.cards import Calibration, get_card
from vidalign.weights.recipes import get_recipe
from vidalign.weights.tensors import load_tensors

TEXTS = ("stir the egg", "put the red bowl", "cut", "whisk water", "unknown words only")
NEEDED = r"mini needs mini features of layer mixed_5c by recipe mini-8fps"


def transcript(texts: Sequence[str] = TEXTS, *, timed: bool = True) -> Transcript:
    times = [(k * 1.0, k + 1.0) if timed else (None, None) for k in range(len(texts))]
    sentences = tuple(Sentence(text, *times[k], k, k) for k, text in enumerate(texts))
    cues = tuple(Cue(k * 1000 if timed else None, None, text, text) for k, text in enumerate(texts))
    return Transcript(cues, sentences, "a.vtt")


@pytest.fixture
def aligner(tiny: Path) -> Aligner:
    """Without what the card's calibration was fitted to."""
    loaded = with_head(load_aligner("mini"))
    return replace(loaded, spec=replace(loaded.spec, calibration=None))


def test_shapes_and_what_is_recorded(aligner: Aligner) -> None:
    features = made_features(7)
    made = align_features(features, transcript(), aligner)
    assert made.similarity is not None
    assert (made.similarity.shape, made.similarity.dtype) == ((5, 7), np.float32)
    assert np.isfinite(made.similarity).all()
    assert np.abs(made.similarity).max() <= 1 + 1e-6
    assert made.times is features.times
    assert (made.scorer, made.decoder, made.model, made.score) == ("tan", "peak", "mini", "cosine")
    assert (made.text_model, made.temperature) == ("word2vec", aligner.spec.temperature)
    assert made.subtitles == "a.vtt"
    assert made.features_recipe == get_recipe("mini-8fps")
    assert made.weights_sha256 == aligner.sha256
    assert made.windowing == {"mode": "overlap", "size": 64, "stride": 16, "margin": 64.0}


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.22, 1.0])
def test_labels_follow_the_threshold_and_segments_the_labels(threshold: float, aligner: Aligner) -> None:
    made = align_features(made_features(7), transcript(), aligner, AlignSettings(threshold=threshold))
    assert made.threshold == threshold
    assert np.array_equal(made.aligned, made.alignability >= np.float32(threshold))
    assert np.array_equal(np.isfinite(made.segments).all(axis=1), made.aligned)
    assert np.array_equal(np.isnan(made.segments).all(axis=1), ~made.aligned)
    starts, ends = made.segments[made.aligned].T
    assert (starts < ends).all()
    assert ((starts >= 0) & (ends <= 7)).all()
    assert (made.confidence[made.aligned] > 0).all()
    assert (made.confidence[~made.aligned] == 0).all()


def test_a_calibration_gives_the_threshold_and_the_kind(aligner: Aligner) -> None:
    plain = align_features(made_features(), transcript(), aligner)
    spec = replace(aligner.spec, calibration=Calibration(a=0.0, b=2.0, threshold=0.9, fitted_on="nothing"))
    made = align_features(made_features(), transcript(), replace(aligner, spec=spec))
    assert (plain.threshold, plain.alignability_kind) == (0.5, "head")
    assert (made.threshold, made.alignability_kind) == (0.9, "calibrated")
    np.testing.assert_allclose(made.alignability, 1 / (1 + np.exp(-2)), rtol=1e-6)
    assert not made.aligned.any()


def test_cells_that_no_window_scored_are_not_numbers(aligner: Aligner) -> None:
    windowing = Windowing(size=2, stride=2, margin=0.0)
    late = replace(transcript().sentences[0], start=500.0, end=501.0)
    held = replace(transcript(), sentences=(*transcript().sentences[:3], late))
    made = align_features(made_features(6), held, aligner, AlignSettings(threshold=0.0, windowing=windowing))
    assert made.similarity is not None
    assert np.isnan(made.similarity[0, 4:]).all()
    assert np.isnan(made.similarity[3]).all()
    assert made.alignability[3] == 0
    assert not made.aligned[3]
    assert np.isnan(made.segments[3]).all()
    assert made.aligned[:3].all()


def test_sentences_without_times(aligner: Aligner) -> None:
    made = align_features(made_features(100), transcript(timed=False), aligner)
    assert made.similarity is not None
    assert np.isfinite(made.similarity).all()


def test_half_precision_features_are_read(aligner: Aligner) -> None:
    features = made_features()
    half = replace(features, features=features.features.astype(np.float16))
    one, two = (align_features(f, transcript(), aligner).similarity for f in (features, half))
    assert one is not None and two is not None
    np.testing.assert_allclose(one, two, atol=5e-3)


def test_the_same_twice(aligner: Aligner) -> None:
    one, two = (align_features(made_features(90), transcript(), aligner) for _ in range(2))
    assert one.similarity is not None and two.similarity is not None
    assert one.similarity.tobytes() == two.similarity.tobytes()
    assert one.segments.tobytes() == two.segments.tobytes()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "s3d-howto100m"}, f"come from backbone s3d-howto100m, {NEEDED}"),
        (
            {"recipe": get_recipe("s3d-16fps")},
            rf"recipe s3d-16fps \(theirs / needed: fps: 16.0 / 8.0; .*{NEEDED}",
        ),
        (
            {"recipe": replace(get_recipe("mini-8fps"), layer="video_embedding")},
            "layer: video_embedding / mixed_5c",
        ),
        ({"features": np.zeros((5, 128), np.float32)}, rf"are 128 wide, {NEEDED} \(256 wide\)"),
        ({"features": np.zeros((0, 256), np.float32), "times": np.zeros((0, 2))}, r"shape \(0, 256\)"),
        ({"features": np.full((5, 256), np.nan, np.float32)}, "NaN or infinity"),
        ({"features": np.full((5, 256), np.inf, np.float16)}, "NaN or infinity"),
    ],
)
def test_features_of_something_else_are_refused(
    changes: dict[str, object], message: str, aligner: Aligner
) -> None:
    with pytest.raises(DataError, match=message) as refused:
        align_features(replace(made_features(), **changes), transcript(), aligner)
    assert refused.value.hint


def test_features_of_which_nothing_is_known_are_taken(aligner: Aligner) -> None:
    made = align_features(replace(made_features(), backbone=None, recipe=None), transcript(), aligner)
    assert made.features_recipe is None


def test_a_recipe_may_have_another_name(aligner: Aligner) -> None:
    renamed = replace(get_recipe("mini-8fps"), name="mine")
    align_features(replace(made_features(), recipe=renamed), transcript(), aligner)


def test_nothing_to_align_is_refused(aligner: Aligner) -> None:
    with pytest.raises(DataError, match=r"a.vtt has no sentence"):
        align_features(made_features(), transcript(()), aligner)


def test_unknown_decoder(aligner: Aligner) -> None:
    with pytest.raises(ModelError, match="unknown decoder 'dream'"):
        align_features(made_features(), transcript(), aligner, AlignSettings(decoder="dream"))


@pytest.mark.parametrize(("layer", "width"), [("mixed_5c", 256), ("video_embedding", 128)])
def test_plain_similarity_takes_either_layer(layer: str, width: int, tiny: Path) -> None:
    aligner = load_aligner("mini", scorer="similarity")
    features = made_features(width=width, recipe=replace(get_recipe("mini-8fps"), layer=layer))
    made = align_features(features, transcript(), aligner)
    assert (made.scorer, made.score, made.alignability_kind) == ("similarity", "dot", "rank")
    assert made.windowing == {"mode": "none"}
    assert aligner.sha256 == load_aligner("mini", scorer="similarity", weights="mini").sha256


def test_plain_similarity_refuses_other_widths(tiny: Path) -> None:
    aligner = load_aligner("mini", scorer="similarity")
    with pytest.raises(DataError, match="7 wide, this model has mixed_5c 256, video_embedding 128"):
        align_features(made_features(width=7), transcript(), aligner)


def test_loading_from_a_file(tiny_files: Path, tiny: Path, tmp_path: Path) -> None:
    path = tiny_files / "mini-tan.safetensors"
    torch.save({"state_dict": load_tensors(path)}, tmp_path / "tan.pth.tar")
    own = align_features(made_features(), transcript(), load_aligner("mini")).similarity
    given = align_features(
        made_features(), transcript(), load_aligner("mini", tmp_path / "tan.pth.tar")
    ).similarity
    assert own is not None
    assert np.array_equal(own, given)


def test_what_cannot_be_loaded(tiny: Path, tiny_files: Path) -> None:
    with pytest.raises(MissingModelError, match="tan-htm370k"):
        load_aligner("tan-htm370k")
    with pytest.raises(ModelError, match="no such file of weights"):
        load_aligner("mini", "gone.pth")
    with pytest.raises(ModelError, match="does not fit"):
        load_aligner("mini", tiny_files / "mini-s3d.safetensors")
    with pytest.raises(ModelError, match="unknown scorer 'magic'"):
        load_aligner("mini", scorer="magic")
    with pytest.raises(ModelError, match="has no scorer 'tan'"):
        load_aligner("s3d-howto100m", scorer="tan")
    assert get_card("mini").aligner is not None

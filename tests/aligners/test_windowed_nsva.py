"""NSVA over whole videos: sentence features, windows, bad inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vidalign.aligners.scorers.nsva import NSVA
from vidalign.aligners.scorers.sentence_features import FromFile
from vidalign.aligners.scorers.windowed_nsva import NsvaScorer
from vidalign.aligners.windowing import Window, Windowing
from vidalign.errors import DataError, UsageError
from vidalign.types import Features, Sentence, TextFeatures

SMALL = {"width": 16, "heads": 2, "hidden": 24, "video_dim": 12, "text_dim": 10, "seconds": 40}
SAID = ("put the egg", "whisk  the water", "stir")


def made(width: int = 10, said: tuple[str, ...] = SAID) -> TextFeatures:
    values = np.random.default_rng(2).standard_normal((len(said), width)).astype(np.float32)
    return TextFeatures(values, said, "some-tower")


def scorer(texts: TextFeatures | None = None, **change: object) -> NsvaScorer:
    torch.manual_seed(0)
    network = NSVA(**{**SMALL, **change})  # type: ignore[arg-type]
    return NsvaScorer(network, FromFile(texts or made(), "said.h5"))


def features(clips: int, width: int = 12) -> Features:
    values = np.random.default_rng(1).standard_normal((clips, width)).astype(np.float32)
    starts = np.arange(clips, dtype=np.float64)
    return Features(values, np.stack([starts, starts + 1], axis=1))


def sentences(said: tuple[str, ...] = SAID) -> list[Sentence]:
    return [Sentence(text, None, None, k, k) for k, text in enumerate(said)]


def test_the_last_layer_s_cosines_are_the_scores() -> None:
    one, video = scorer(), features(9)
    found = one.score(video, sentences(), Windowing())
    with torch.inference_mode():
        cosines = one.model(torch.from_numpy(video.features)[None], torch.from_numpy(made().features)[None])
    np.testing.assert_allclose(found.similarity, cosines[-1, 0, :, 0], rtol=1e-5, atol=1e-6)
    assert found.head is None and one.text_model == "some-tower" and one.known_words(sentences()) is None
    assert found.windowing == {"mode": "overlap", "size": 1200, "stride": 600, "margin": 64.0}


def test_windows_see_their_own_sentences() -> None:
    one, video = scorer(), features(9)
    windows = [Window(0, 6, np.array([0, 1])), Window(3, 9, np.array([1]))]
    found = one.score_windows(video, sentences(), windows).similarity
    assert np.isnan(found[2]).all() and np.isnan(found[0, 6:]).all() and np.isfinite(found[1]).all()
    assert np.isnan(one.score_windows(video, sentences(), []).similarity).all()


def test_one_clip_is_scored() -> None:
    assert np.isfinite(scorer().score(features(1), sentences(), Windowing()).similarity).all()


@pytest.mark.parametrize(
    ("texts", "video", "said", "told"),
    [
        (made(9), features(5), SAID, r"sentence features \(some-tower\) are 9 wide, this model wants 10"),
        (made(), features(5, 7), SAID, "the features are 7 wide, this model wants 12"),
        (made(), features(5), SAID[:2], "said.h5: 3 sentences instead of 2"),
        (made(), features(5), ("a", *SAID[1:]), "said.h5: sentence 1 is 'put the egg' instead of 'a'"),
    ],
)
def test_what_does_not_fit_is_told(
    texts: TextFeatures, video: Features, said: tuple[str, ...], told: str
) -> None:
    with pytest.raises(DataError, match=told):
        scorer(texts).score(video, sentences(said), Windowing())


def test_blanks_do_not_matter() -> None:
    assert np.isfinite(
        scorer()
        .score(features(3), sentences(("put the egg", "whisk the water", " stir")), Windowing())
        .similarity
    ).all()


def test_what_is_too_long_is_told() -> None:
    with pytest.raises(DataError, match="places for 40 clips, not 41"):
        scorer().score(features(41), sentences(), Windowing(mode="global"))
    many = tuple(f"sentence {k}" for k in range(1025))
    with pytest.raises(DataError, match="numbers at most 1024 sentences, not 1025"):
        scorer(made(said=many)).score(features(3), sentences(many), Windowing())
    unordered = scorer(made(said=many), ordered=False, text_layers=1, video_layers=1)
    assert unordered.score(features(3), sentences(many), Windowing()).similarity.shape == (1025, 3)


def test_without_sentence_features_there_is_a_way_named() -> None:
    with pytest.raises(UsageError, match="--text-features"):
        NsvaScorer(NSVA(**SMALL), None).score(features(3), sentences(), Windowing())  # type: ignore[arg-type]

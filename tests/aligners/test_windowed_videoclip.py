"""VideoCLIP over whole videos: pieces, averages, bad features."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.model_folders import PIECES, VIDEOCLIP
from vidalign.aligners.scorers.videoclip import VideoCLIP
from vidalign.aligners.scorers.windowed_videoclip import VideoClipScorer
from vidalign.aligners.tokens import BertTokens
from vidalign.aligners.windowing import Window, Windowing, pieces, recorded
from vidalign.errors import DataError
from vidalign.types import Features, Sentence

SAID = ("put the egg", "whisk the water", "stir")


def scorer(score: str = "dot") -> VideoClipScorer:
    torch.manual_seed(0)
    network = VideoCLIP(**VIDEOCLIP)
    return VideoClipScorer(network, BertTokens(PIECES, length=8), score=score, batch=2)  # type: ignore[arg-type]


def features(clips: int, width: int = 16) -> Features:
    values = np.random.default_rng(1).standard_normal((clips, width)).astype(np.float32)
    starts = np.arange(clips, dtype=np.float64)
    return Features(values, np.stack([starts, starts + 1], axis=1))


def sentences() -> list[Sentence]:
    return [Sentence(text, None, None, k, k) for k, text in enumerate(SAID)]


@pytest.mark.parametrize(
    ("start", "stop", "size", "expected"),
    [
        (0, 1, 32, [(0, 1)]),
        (0, 32, 32, [(0, 32)]),
        (0, 33, 32, [(0, 32), (16, 33)]),
        (0, 48, 32, [(0, 32), (16, 48)]),
        (5, 54, 32, [(5, 37), (21, 53), (37, 54)]),
        (0, 3, 1, [(0, 1), (1, 2), (2, 3)]),
    ],
)
def test_pieces(start: int, stop: int, size: int, expected: list[tuple[int, int]]) -> None:
    assert pieces(start, stop, size) == expected


@pytest.mark.parametrize("score", ["dot", "cosine"])
def test_overlapping_windows_are_averaged(score: str) -> None:
    made, video = scorer(score), features(7)
    found = made.score(video, sentences(), Windowing())
    text = torch.from_numpy(made.embed_texts(SAID))
    total, count = np.zeros((3, 7)), np.zeros(7)
    for start, stop in ((0, 4), (2, 6), (4, 7)):
        clips = torch.from_numpy(video.features[None, start:stop])
        with torch.inference_mode():
            tokens = made.model.embed_seconds(clips, torch.ones(1, stop - start, dtype=torch.bool))[0]
        if score == "cosine":
            tokens, said = torch.nn.functional.normalize(tokens), torch.nn.functional.normalize(text)
        else:
            said = text
        total[:, start:stop] += (said @ tokens.T).numpy()
        count[start:stop] += 1
    np.testing.assert_allclose(found.similarity, total / count, rtol=1e-4, atol=1e-5)
    assert found.head is None and made.score_name == score
    assert (
        found.windowing
        == recorded("tempclr", VIDEOCLIP, Windowing())
        == {
            "mode": "overlap",
            "size": 4,
            "stride": 2,
        }
    )


def test_windows_choose_the_cells() -> None:
    made, video = scorer(), features(6)
    windows = [Window(0, 4, np.array([0, 2])), Window(2, 6, np.array([0]))]
    found = made.score_windows(video, sentences(), windows).similarity
    assert np.isnan(found[1]).all() and np.isnan(found[2, 4:]).all() and np.isfinite(found[0]).all()
    alone = made.score_windows(video, sentences(), windows[:1]).similarity
    np.testing.assert_allclose(found[2, :4], alone[2, :4], rtol=1e-5)
    np.testing.assert_allclose(found[0, :2], alone[0, :2], rtol=1e-5)
    assert np.isnan(made.score_windows(video, sentences(), []).similarity).all()
    assert made.score_windows(video, [], windows[:0]).similarity.shape == (0, 6)


def test_vectors_of_seconds_texts_and_segments() -> None:
    made, video = scorer(), features(6)
    seconds = made.embed_seconds(np.stack([video.features, video.features[::-1]]))
    np.testing.assert_allclose(
        made.embed_texts(SAID) @ seconds[0].T,
        made.score(video, sentences(), Windowing()).similarity,
        rtol=1e-4,
        atol=1e-5,
    )
    assert seconds.shape == (2, 6, 16)
    whole, first, second = (made.embed_segment(video.features[a:b]) for a, b in ((0, 6), (0, 4), (4, 6)))
    np.testing.assert_allclose(whole, (first + second) / 2, rtol=1e-5, atol=1e-6)


def test_one_clip_is_scored() -> None:
    assert np.isfinite(scorer().score(features(1), sentences(), Windowing()).similarity).all()


def test_features_of_another_width_are_refused() -> None:
    for made in (
        lambda: scorer().score(features(5, 9), sentences(), Windowing()),
        lambda: scorer().embed_segment(features(2, 9).features),
    ):
        with pytest.raises(DataError, match="the features are 9 wide, this model wants 16"):
            made()


def test_an_unknown_score_is_refused() -> None:
    with pytest.raises(ValueError, match="score is 'sum'"):
        scorer("sum")

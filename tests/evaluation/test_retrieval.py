"""Text-to-clip retrieval: which seconds make a clip's vector, and that the right clips are found by them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.tiny import made_features
from vidalign.aligners.registry import load_aligner
from vidalign.errors import DataError
from vidalign.evaluation.files import features_files
from vidalign.evaluation.retrieval import (
    Encoded,
    encode,
    evaluate,
    segment_vector,
    similarity,
    window_rows,
)
from vidalign.evaluation.segments import Segment
from vidalign.store.features import write_features


def test_windows_hold_a_short_segment_at_ten_places() -> None:
    rows, low, high = window_rows(100, 10)
    assert rows.shape == (10, 32)  # twice the segment, at least 32 s
    assert low.tolist() == np.floor(np.linspace(5.5, 16.5, 10)).astype(int).tolist()
    for window, a, b in zip(rows, low, high, strict=True):
        assert window[a:b].tolist() == list(range(100, 110))


def test_windows_lie_inside_a_long_segment() -> None:
    rows, low, high = window_rows(50, 300)
    assert rows.shape == (10, 256)
    assert (rows[0, 0], rows[-1, 0]) == (50 + 11, 50 + 33)
    assert set(low.tolist()) == {0} and set(high.tolist()) == {256}
    assert window_rows(0, 100)[0].shape == (10, 200)


class Recorder:
    """Vectors are the features themselves."""

    def __init__(self, score_name: str) -> None:
        self.score_name = score_name
        self.stretches: list[int | None] = []

    def embed_seconds(self, windows: NDArray[np.floating], stretch: int | None = None) -> NDArray[np.float32]:
        self.stretches.append(stretch)
        return windows.astype(np.float32)

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        return np.ones((len(texts), 2), dtype=np.float32)


def test_a_clip_is_the_mean_of_its_seconds() -> None:
    features = np.stack([np.arange(60.0), np.ones(60)], axis=1)
    dot = Recorder("dot")
    assert segment_vector(dot, features, 10.7, 15.0) == pytest.approx([11.5, 1])  # seconds 10 to 13
    assert segment_vector(dot, features, 58, 62) == pytest.approx([(58 + 59 * 3) / 4, 1])
    assert segment_vector(dot, features, 20, 20.5) == pytest.approx([20, 1])
    assert dot.stretches == [None] * 3
    segment_vector(dot, features, 5, 45)
    assert dot.stretches[-1] == 64
    unit = features[10:14] / np.linalg.norm(features[10:14], axis=1, keepdims=True)
    mean = unit.mean(axis=0)
    found = segment_vector(Recorder("cosine"), features, 10, 14)
    assert found == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    with pytest.raises(DataError, match="begins at 60 s"):
        segment_vector(dot, features, 60, 70)


def test_centring_and_standardising() -> None:
    generator = np.random.default_rng(0)
    clips = generator.normal(size=(30, 4)).astype(np.float32)
    shifted = clips + np.float32([0, 50, 0, 0])
    assert np.abs(similarity(clips, clips, "centred") - similarity(shifted, shifted, "centred")).max() < 1e-3
    scaled = clips * np.float32([1, 7, 1, 0])  # one coordinate says nothing and must not divide by 0
    standard = similarity(scaled, scaled, "standardised")
    left = clips[:, :3] - clips[:, :3].mean(axis=0)
    left /= left.std(axis=0)
    assert np.abs(standard - left @ left.T).max() < 1e-4


def encoded(texts: NDArray[np.float32], clips: NDArray[np.float32]) -> Encoded:
    segments = tuple(Segment(f"v{n // 2}", 0, 1, "") for n in range(len(texts)))
    return Encoded(clips, texts, segments, (), {})


def test_numbers_of_a_perfect_and_a_blind_model() -> None:
    eye = np.eye(20, dtype=np.float32)
    perfect = evaluate(encoded(eye, eye), resamples=20)
    assert perfect["recall_1"] == (1.0, 1.0, 1.0)
    blind = evaluate(encoded(eye, np.ones_like(eye)), resamples=20)
    assert blind["recall_1"].value == pytest.approx(1 / 20)
    assert blind["median_rank"].value == 10.5
    centred = evaluate(encoded(eye, np.ones_like(eye)), "centred", resamples=0)
    assert centred["recall_1"].value == pytest.approx(1 / 20)


@pytest.mark.parametrize("scorer", [None, "similarity", "cosine"])
def test_every_scorer_gives_vectors_of_one_space(scorer: str | None, tiny: Path, tmp_path: Path) -> None:
    aligner = load_aligner("mini", scorer=scorer)
    write_features(tmp_path / "a.h5", made_features(40, seed=1))
    write_features(tmp_path / "sub/b.h5", made_features(40, seed=2))
    segments = [Segment(v, s, s + 8, "stir") for v in ("a", "b", "c") for s in (0.0, 20.0)]
    found = encode(aligner, segments, features_files(tmp_path))
    assert found.missing == ("c",) and not found.failed
    assert [s.video for s in found.segments] == ["a", "a", "b", "b"]
    assert found.clips.shape == found.texts.shape and len(found.clips) == 4
    lengths = np.linalg.norm(found.clips, axis=1)
    assert np.allclose(lengths, 1, atol=1e-5) == (scorer != "similarity")


def test_context_matters_to_a_tan_and_not_to_the_plain_vectors(tiny: Path) -> None:
    features = made_features(40).features
    changed = features.copy()
    changed[:10] += 1
    for scorer, same in ((None, False), ("similarity", True)):
        made = load_aligner("mini", scorer=scorer).scorer
        ours, theirs = (segment_vector(made, given, 20, 28) for given in (features, changed))  # type: ignore[arg-type]
        assert np.allclose(ours, theirs, atol=1e-6) == same


def test_bad_features_are_named_and_none_at_all_refused(tiny: Path, tmp_path: Path) -> None:
    aligner = load_aligner("mini")
    write_features(tmp_path / "a.h5", made_features(40))
    write_features(tmp_path / "b.h5", made_features(40, backbone="other"))
    files = features_files(tmp_path)
    found = encode(aligner, [Segment("a", 0, 5, "cut"), Segment("b", 0, 5, "cut")], files)
    assert list(found.failed) == ["b"] and "backbone other" in found.failed["b"].message
    with pytest.raises(DataError, match="none of the videos"):
        encode(aligner, [Segment("c", 0, 5, "cut")], files)
    with pytest.raises(DataError, match="backbone other"):
        encode(aligner, [Segment("b", 0, 5, "cut")], files)

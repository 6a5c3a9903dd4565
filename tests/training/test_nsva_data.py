"""Whole videos with sentence vectors: which sentences, when, in which order, and from which files."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tiny import made_features, write_vtt
from vidalign.errors import ConfigError, DataError
from vidalign.store.features import write_features
from vidalign.store.text_features import write_text_features
from vidalign.training.data.nsva import (
    NsvaData,
    NsvaVideos,
    SentenceNumbers,
    VideoOptions,
    find_videos,
    read_vectors,
)
from vidalign.training.data.rows import HeldRows
from vidalign.training.data.sources import Holding
from vidalign.training.data.spoken import Said, make_spoken
from vidalign.training.data.spoken_videos import FeatureSource
from vidalign.training.data.windows import TanVideo
from vidalign.types import TextFeatures

SAID = [
    Said(2.0, 5.0, "one"),
    Said(6.4, 8.6, "two"),
    Said(9.0, 12.0, "three", False),
    Said(15.0, 18.0, "one"),
]


def videos(seconds: int = 20, said: list[Said] = SAID, **options: object) -> NsvaVideos:
    """One video whose features are its seconds, sentence vectors (id, -id)."""
    shuffle = options.pop("shuffle", 0.0)
    numbers = SentenceNumbers()
    spoken = make_spoken(said, numbers)
    rows = HeldRows(np.arange(seconds, dtype=np.float32)[:, None])
    ids = np.arange(1, len(numbers.texts) + 1, dtype=np.float32)
    vectors = np.stack([ids, -ids], axis=1)
    return NsvaVideos([TanVideo("v", rows, spoken)], vectors, VideoOptions(**options), shuffle, 3)  # type: ignore[arg-type]


def test_a_video_with_all_its_sentences() -> None:
    item = videos().item(0, 0)
    assert item.video[:, 0].tolist() == list(range(20))
    assert item.text[:, 0].tolist() == [1, 2, 3, 1]
    assert item.times.tolist() == [[2, 5], [6, 9], [9, 9], [15, 18]]  # nothing shows the third


def test_of_a_long_video_a_stretch_with_a_sentence_that_is_shown() -> None:
    data = videos(longest=8)
    seen = set()
    for epoch in range(60):
        item = data.item(epoch, 0)
        start = int(item.video[0, 0])
        seen.add(start)
        assert item.video[:, 0].tolist() == list(range(start, start + 8))
        assert (item.times[:, 1] > item.times[:, 0]).any()
        assert item.times.min() >= 0 and item.times.max() <= 8
    assert len(seen) > 6
    assert videos(longest=20).item(0, 0).video.shape == (20, 1)


def test_sentences_are_shuffled_with_their_times() -> None:
    orders = {tuple(videos(shuffle=1.0).item(epoch, 0).text[:, 0].tolist()) for epoch in range(40)}
    assert len(orders) > 6
    at = {1: ([2, 5], [15, 18]), 2: ([6, 9],), 3: ([9, 9],)}
    item = videos(shuffle=1.0).item(1, 0)
    assert all(
        span in at[int(number)] for number, span in zip(item.text[:, 0], item.times.tolist(), strict=True)
    )
    half = videos(shuffle=0.5)
    kept = sum(half.item(epoch, 0).text[:, 0].tolist() == [1, 2, 3, 1] for epoch in range(200))
    assert 80 < kept < 140
    with pytest.raises(ConfigError, match="share from 0 to 1"):
        VideoOptions(shuffle=2)


def test_items_are_functions_of_seed_epoch_and_index() -> None:
    data = videos(longest=8, shuffle=0.5)
    other = pickle.loads(pickle.dumps(data))
    for epoch in reversed(range(5)):
        ours, theirs = data.item(epoch, 0), other.item(epoch, 0)
        assert np.array_equal(ours.video, theirs.video) and np.array_equal(ours.times, theirs.times)


def test_a_batch_is_padded_by_repeating() -> None:
    long, short = videos(), videos(12, SAID[:2])
    batch = long.collate([long.item(0, 0), short.item(0, 0)])
    assert {name: tuple(value.shape) for name, value in batch.items()} == {
        "video": (2, 20, 1),
        "video_padding": (2, 20),
        "text": (2, 4, 2),
        "text_padding": (2, 4),
        "start": (2, 4),
        "end": (2, 4),
    }
    assert batch["video_padding"].sum(1).tolist() == [0, 8]
    assert batch["text_padding"].tolist() == [[False] * 4, [False, False, True, True]]
    assert batch["video"].dtype == batch["text"].dtype == torch.float32


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Two videos: the second one's only sentence is over before it lasts a second in it."""
    for name, seconds in (("a", 9), ("b", 3)):
        write_features(tmp_path / "f" / f"{name}.h5", made_features(seconds, video=f"{name}.mp4"))
    write_vtt(tmp_path / "s" / "a.vtt", "cut", "stir", "cut", step=3.0)
    write_vtt(tmp_path / "s" / "b.vtt", "whisk", step=0.3)
    return tmp_path


def data_of(world: Path) -> NsvaData:
    source = FeatureSource(features=world / "f", subtitles=world / "s")
    return NsvaData(source, holding=Holding(validation_share=0))


def test_every_different_sentence_has_one_number(world: Path) -> None:
    found = find_videos(data_of(world))
    assert [video.name for video in found.training] == ["a"]
    assert found.training[0].spoken.tokens[:, 0].tolist() == [1, 2, 1]
    assert found.texts[:2] == ["cut", "stir"]


def test_sentences_of_videos_that_cannot_be_used_have_no_number(world: Path) -> None:
    write_features(world / "f" / "c.h5", made_features(9, video="c.mp4"))
    write_vtt(world / "s" / "c.vtt", "pour", "cut", step=3.0)
    found = find_videos(data_of(world))
    assert [video.name for video in found.training] == ["a", "c"] and "whisk" not in found.texts
    said = [[found.texts[n - 1] for n in video.spoken.tokens[:, 0]] for video in found.training]
    assert said == [["cut", "stir", "cut"], ["pour", "cut"]]


def write_texts(world: Path, *texts: str, width: int = 2, model: str = "m") -> None:
    values = np.arange(len(texts) * width, dtype=np.float16).reshape(-1, width)
    write_text_features(world / "t" / "a.h5", TextFeatures(values, texts, model))


def test_vectors_come_from_the_videos_files(world: Path) -> None:
    write_texts(world, "stir", "cut")
    vectors, model = read_vectors(world / "t", ["a"], ["cut", "stir"])
    assert (vectors.tolist(), model, vectors.dtype) == ([[2, 3], [0, 1]], "m", np.float32)
    with pytest.raises(DataError, match="for the sentence 'pour'"):
        read_vectors(world / "t", ["a"], ["cut", "pour"])
    with pytest.raises(DataError, match="no text features for b"):
        read_vectors(world / "t", ["a", "b"], ["cut"])
    write_text_features(world / "t" / "b.h5", TextFeatures(np.zeros((1, 3), np.float32), ("x",), "m"))
    with pytest.raises(DataError, match="text features of m, 3 wide, not of m, 2"):
        read_vectors(world / "t", ["a", "b"], ["cut"])

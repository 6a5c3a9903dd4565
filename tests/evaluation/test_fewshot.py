"""Few-shot recognition: what only the order tells, by hand, and what an episode is."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.letters import vectors, write_seconds
from vidalign.errors import DataError
from vidalign.evaluation.fewshot import Episode, Setting, accuracy, episodes, mean_accuracy, spread
from vidalign.evaluation.fewshot_files import read_labelled, read_labels
from vidalign.evaluation.files import features_files

VIDEOS = [spread(vectors(letters), 0) for letters in ("abc", "aabc", "cba", "cbaa")]
LABELS = ["up", "up", "down", "down"]


@pytest.mark.parametrize(("measure", "expected"), [("average", 0.5), ("dtw", 1.0), ("otam", 1.0)])
def test_only_the_order_tells_these_classes_apart(measure: str, expected: float) -> None:
    found = mean_accuracy(VIDEOS, LABELS, measure, Setting(2, 1, 1), count=20)  # type: ignore[arg-type]
    assert found == (expected, expected, expected)


def test_a_class_is_as_far_as_its_examples_in_the_mean() -> None:
    videos = [spread(vectors(letters), 0) for letters in ("a", "b", "c", "c", "a")]
    episode = Episode(np.array([[0, 1], [2, 3]]), np.array([[4], [3]]))
    assert list(accuracy(videos, iter([episode]), "dtw")) == [1.0]
    tied = Episode(np.array([[0, 1], [0, 3]]), np.array([[4], [3]]))
    assert list(accuracy(videos, iter([tied]), "dtw")) == [0.75]


def test_episodes_are_drawn_without_replacement_and_again_the_same() -> None:
    labels = [name for name in "vwxyz" for _ in range(4)]
    drawn = list(episodes(labels, Setting(3, 2, 1), 30, seed=4))
    for examples, questions in drawn:
        assert (examples.shape, questions.shape) == ((3, 2), (3, 1))
        together = np.concatenate([examples, questions], axis=1)
        assert len(np.unique(together)) == 9
        assert len({labels[row[0]] for row in together}) == 3
        assert all(len({labels[n] for n in row}) == 1 for row in together)
    again = list(episodes(labels, Setting(3, 2, 1), 30, seed=4))
    assert all(np.array_equal(one.examples, other.examples) for one, other in zip(drawn, again, strict=True))
    others = list(episodes(labels, Setting(3, 2, 1), 30, seed=5))
    assert any(not np.array_equal(a.examples, b.examples) for a, b in zip(drawn, others, strict=True))


def test_the_interval_is_that_of_the_mean() -> None:
    rng = np.random.default_rng(0)
    videos = [spread(rng.standard_normal((3, 4)), 0) for _ in range(8)]
    found = mean_accuracy(videos, list("aaaabbbb"), "dtw", Setting(2, 1, 2), count=50, seed=1)
    shares = list(accuracy(videos, episodes(list("aaaabbbb"), Setting(2, 1, 2), 50, 1), "dtw"))
    assert found.value == pytest.approx(np.mean(shares))
    assert found.high - found.value == pytest.approx(1.96 * np.std(shares, ddof=1) / math.sqrt(50))
    assert math.isnan(mean_accuracy(videos, list("aaaabbbb"), "dtw", Setting(2), count=1).low)


def test_clips_are_spread_evenly() -> None:
    values = np.stack([np.arange(10.0), np.ones(10)], axis=1)
    taken = spread(values, 4)
    assert np.allclose(taken[:, 0] / taken[:, 1], [1, 3, 6, 8])
    assert len(spread(values, 0)) == 10 and len(spread(values[:1], 4)) == 4
    assert np.allclose(np.linalg.norm(spread(values, 0), axis=1), 1)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (Setting(3, 1, 1), "2 classes are too few for 3 ways"),
        (Setting(2, 2, 1), "class down has 2 of the 3 videos"),
    ],
)
def test_too_few_videos_are_refused(setting: Setting, message: str) -> None:
    with pytest.raises(DataError, match=message):
        mean_accuracy(VIDEOS, LABELS, "dtw", setting)


def test_labels_are_read(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_text("label,video\nup,one\ndown, two \n")
    assert read_labels(path) == {"one": "up", "two": "down"}
    for text, message in (
        ("video,class\n", ":1: there is no column 'label'"),
        ("video,label\n", "has no video"),
        ("video,label\none," + "x" * 200_000, ":2: field larger than field limit"),
        ("video,label\none,\n", ":2: a video and a label are needed"),
        ("video,label\none,up\none,down\n", ":3: one has two labels, up and down"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=message):
            read_labels(path)


def test_bad_files_are_named(tmp_path: Path) -> None:
    from tests.tiny import made_features
    from vidalign.store.features import write_features

    write_seconds(tmp_path / "one.h5", "abc")
    write_features(tmp_path / "wide.h5", made_features(3))
    broken = made_features(3)
    broken.features[1, 1] = np.nan
    write_features(tmp_path / "broken.h5", broken)
    labels = dict.fromkeys(("one", "wide", "broken", "gone"), "x")
    found = read_labelled(labels, features_files(tmp_path), clips=2)
    assert (len(found.videos), found.labels, found.missing) == (1, ("x",), ("gone",))
    assert "256 wide, those of one 8" in str(found.failed["wide"])
    assert "NaN" in str(found.failed["broken"])
    with pytest.raises(DataError, match="features for none of the videos"):
        read_labelled({"gone": "x"}, features_files(tmp_path), clips=2)

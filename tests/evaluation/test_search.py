"""Text-to-clip search: which stretches are found, and in which order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.letters import Letters, letters_aligner, seconds, write_seconds
from vidalign.errors import DataError, ModelError
from vidalign.evaluation.files import features_files
from vidalign.evaluation.search import best_stretches, clip_vectors, search
from vidalign.store.features import write_features


def test_every_stretch_of_every_video_once(tmp_path: Path) -> None:
    write_seconds(tmp_path / "one.h5", "..aaa...a.")
    write_seconds(tmp_path / "sub" / "two.h5", "bba")
    found = search(letters_aligner(), ["a", "b"], features_files(tmp_path), top=4)
    assert [hit[:3] for hit in found.hits[0][:3]] == [("one", 2, 5), ("one", 8, 9), ("sub/two", 2, 3)]
    assert found.hits[0][3].score == 0
    assert found.hits[1][0] == ("sub/two", 0, 2, 1)
    assert not found.failed
    assert [len(hits) for hits in search(letters_aligner(), ["a"], features_files(tmp_path), top=2).hits] == [
        2
    ]


def test_files_of_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    paths = [write_seconds(tmp_path / name, "a") for name in ("one.h5", "one.mp4.h5")]
    write_seconds(tmp_path / "two.h5", "a")
    found = search(letters_aligner(), ["a"], features_files(tmp_path))
    assert {hit.video for hit in found.hits[0]} == {*map(str, paths), "two"}


def test_stretches_end_where_a_better_one_begins() -> None:
    times = seconds(".........").times
    scores = np.array([0.0, 0.0, 0.6, 0.9, 0.6, 0.7, 0.0, 0.0, 0.0])
    assert best_stretches("v", scores, times, 9)[:2] == [("v", 2, 6, 0.9), ("v", 0, 2, 0.0)]
    scores = np.array([0.0, 0.0, 0.3, 0.9, 0.3, 0.5, 0.0, 0.0, 0.0])
    assert best_stretches("v", scores, times, 2) == [("v", 3, 4, 0.9), ("v", 4, 6, 0.5)]
    assert best_stretches("v", scores, times, 1) == [("v", 3, 4, 0.9)]


@pytest.mark.parametrize("score", ["cosine", "dot"])
def test_windows_are_averaged(score: str) -> None:
    letters = "abc" * 60
    scorer = Letters(score)
    np.testing.assert_allclose(clip_vectors(scorer, seconds(letters)), seconds(letters).features, atol=1e-6)
    assert scorer.calls == 1
    assert len(clip_vectors(scorer, seconds("ab"))) == 2
    longer = clip_vectors(Letters(score), seconds("a", length=2.0))
    assert longer.shape == (1, 8)


def test_a_bad_file_does_not_stop_the_others(tmp_path: Path) -> None:
    write_seconds(tmp_path / "good.h5", "ab")
    bad = seconds("ab")
    bad.features[0, 0] = np.nan
    write_features(tmp_path / "bad.h5", bad)
    found = search(letters_aligner(), ["a"], features_files(tmp_path))
    assert [hit.video for hit in found.hits[0]] == ["good"]
    assert str(found.failed["bad"]).startswith("bad: the features hold NaN")
    (tmp_path / "good.h5").unlink()
    with pytest.raises(DataError, match="NaN"):
        search(letters_aligner(), ["a"], features_files(tmp_path))


def test_what_cannot_be_searched_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no features file"):
        search(letters_aligner(), ["a"], features_files(tmp_path))
    with pytest.raises(DataError, match="an empty text finds nothing"):
        search(letters_aligner(), ["  "], features_files(tmp_path))

    class Wordless:
        score_name = "dot"

    with pytest.raises(ModelError, match="mini has no vectors of clips and texts"):
        search(letters_aligner(Wordless()), ["a"], features_files(tmp_path))  # type: ignore[arg-type]

"""Global video features: the clips of a whole video as one row, in a file that says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vidalign
from tests.tiny import made_features
from vidalign.aligners.align import check_features
from vidalign.aligners.registry import load_aligner
from vidalign.batch.encoding import extract_features
from vidalign.batch.extraction import Extraction
from vidalign.batch.pooling import Pooling, pool
from vidalign.errors import DataError
from vidalign.viewer.describe import describe_features


def test_rows_become_one_over_what_all_have_seen() -> None:
    rows = np.array([[1.0, -2.0], [0.5, -1.0], [3.0, -6.0]], np.float32)
    times = [(0.5, 2.5), (1.5, 3.5), (2.5, 3.25)]
    assert pool(rows, times, "max")[0].tolist() == [[3.0, -1.0]]
    assert pool(rows, times, "avg")[0].tolist() == [[1.5, -3.0]]
    assert pool(rows, times, "max")[1] == [(0.5, 3.5)]


@pytest.mark.parametrize("pooling", ["max", "avg"])
def test_a_file_holds_what_pooling_its_clips_gives(pooling: Pooling, tiny: Path, clip_file: Path) -> None:
    clips = extract_features(clip_file, Extraction("mini", dtype="float32"))
    whole = vidalign.extract(clip_file, dtype="float32", gvf=pooling)
    expected = clips.features.max(axis=0) if pooling == "max" else clips.features.mean(axis=0)
    np.testing.assert_allclose(whole.features, expected[None], rtol=1e-6)
    assert whole.times.tolist() == [[0.0, 3.0]]
    assert (clips.pooling, whole.pooling) == (None, pooling)
    assert f"the {pooling} over all clips" in "\n".join(describe_features(whole))


def test_sentences_are_not_aligned_with_a_whole_video(tiny: Path) -> None:
    aligner = load_aligner("mini")
    check_features(made_features(1), aligner)
    with pytest.raises(DataError, match="of the video as a whole"):
        check_features(made_features(1, pooling="max"), aligner)

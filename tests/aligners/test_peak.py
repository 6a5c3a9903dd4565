from __future__ import annotations

import numpy as np
import pytest

from vidalign.aligners.decoders import get_decoder
from vidalign.aligners.decoders.peak import clip_cells, peak
from vidalign.errors import ModelError


def seconds(count: int, length: float = 1.0, stride: float = 1.0) -> np.ndarray:
    start = np.arange(count) * stride
    return np.stack([start, start + length], axis=1)


def test_the_unbroken_run_around_the_peak() -> None:
    row = [0, 0.1, 0.8, 0.9, 0.6, 0.1, 0.9, 0, 0, 0]
    assert peak(np.array([row], dtype=np.float32), seconds(10)).tolist() == [[2.0, 5.0]]


def test_unscored_cells_end_a_segment_and_do_not_count_for_the_median() -> None:
    row = [np.nan, np.nan, 0.9, 1.0, np.nan, 1.0, 0, 0, 0, 0]
    found = peak(np.array([row, [np.nan] * 10], dtype=np.float32), seconds(10))
    assert found[0].tolist() == [2.0, 4.0]
    assert np.isnan(found[1]).all()


def test_a_flat_row_is_the_whole_video_and_one_clip_itself() -> None:
    assert peak(np.ones((1, 5), dtype=np.float32), seconds(5)).tolist() == [[0, 5]]
    assert peak(np.ones((1, 1), dtype=np.float32), np.array([[2.0, 3.5]])).tolist() == [[2.0, 3.5]]


def test_overlapping_clips_share_what_they_overlap() -> None:
    cells = clip_cells(seconds(4, length=3.2))
    assert cells[1].tolist() == pytest.approx([2.1, 3.1])
    assert np.allclose(cells[1:, 0], cells[:-1, 1])
    assert clip_cells(seconds(3)).tolist() == seconds(3).tolist()


def test_an_unknown_decoder_names_the_known() -> None:
    with pytest.raises(ModelError, match="known decoders: peak"):
        get_decoder("nonesuch")

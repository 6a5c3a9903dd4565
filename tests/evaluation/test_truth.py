from __future__ import annotations

import numpy as np
import pytest

from vidalign.errors import DataError
from vidalign.evaluation.truth import judge, spoken_recall
from vidalign.types import Alignment, Sentence

TRUTH = [[1, 2.4, 5.0, "a"], [0, 0.0, 1.0, "b"], [1, 7.0, 8.0, "c"]]


def alignment(*, matrix: bool = True) -> Alignment:
    rows = np.zeros((3, 10), dtype=np.float32)
    rows[0, 2] = rows[1, 9] = rows[2, 3] = 1
    starts = np.arange(10.0)
    sentences = tuple(Sentence(text, k, k + 2.0, k, k) for k, text in enumerate("abc"))
    return Alignment(
        similarity=rows if matrix else None,
        alignability=np.ones(3, dtype=np.float32),
        confidence=np.ones(3, dtype=np.float32),
        aligned=np.array([True, True, False]),
        segments=np.array([[2.0, 4.0], [9.0, 10.0], [np.nan, np.nan]]),
        times=np.stack([starts, starts + 1], axis=1),
        sentences=sentences,
        cues=(),
    )


def test_peaks_labels_and_segments_by_hand() -> None:
    found = judge(alignment(), TRUTH)
    assert found.hit.tolist() == [True, False]
    assert found.recall == 0.5
    assert found.labelled_right.tolist() == [True, False, False]
    assert found.found.tolist() == [True, False]
    assert found.iou.tolist() == pytest.approx([1.6 / 3.0, 0])
    assert found.window_iou.tolist() == pytest.approx([1.1 / 3.5, 0])


def test_subtitle_times_as_they_stand() -> None:
    assert spoken_recall(TRUTH, [(2, 4), (0, 1), (0, 1)]) == 0.5


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="2 rows for 3 sentences"):
        judge(alignment(), TRUTH[:2])
    with pytest.raises(DataError, match="without its matrix"):
        judge(alignment(matrix=False), TRUTH)

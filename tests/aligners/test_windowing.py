from __future__ import annotations

import numpy as np
import pytest

from vidalign.aligners.windowing import Stitcher, Window, Windowing, plan_windows
from vidalign.errors import UsageError


def seconds(count: int) -> np.ndarray:
    return np.stack([np.arange(count), np.arange(1, count + 1)], axis=1).astype(float)


def test_a_short_video_is_one_window_with_every_sentence() -> None:
    windows = plan_windows(seconds(64), np.array([5.0, 500.0, np.nan]), Windowing())
    assert [(w.start, w.stop, w.sentences.tolist()) for w in windows] == [(0, 64, [0, 1, 2])]


def test_the_last_window_ends_with_the_video() -> None:
    windows = plan_windows(seconds(100), np.full(1, np.nan), Windowing())
    assert [(w.start, w.stop) for w in windows] == [(0, 64), (16, 80), (32, 96), (36, 100)]
    exact = plan_windows(seconds(96), np.full(1, np.nan), Windowing())
    assert [(w.start, w.stop) for w in exact] == [(0, 64), (16, 80), (32, 96)]


def test_sentences_by_their_middle_within_the_margin() -> None:
    mids = np.array([0.0, 95.9, 96.0, 288.0, 288.1, np.nan])
    window = {w.start: w.sentences.tolist() for w in plan_windows(seconds(400), mids, Windowing())}
    assert window[160] == [2, 3, 5]
    assert window[0] == [0, 1, 2, 5]
    near = {w.start: w.sentences.tolist() for w in plan_windows(seconds(400), mids, Windowing(margin=0))}
    assert near[64] == [1, 2, 5]


def test_windows_without_sentences_are_left_out_and_global_is_one() -> None:
    assert [w.start for w in plan_windows(seconds(300), np.array([0.0]), Windowing())] == [0, 16, 32, 48, 64]
    assert [w.stop for w in plan_windows(seconds(300), np.array([0.0]), Windowing(mode="global"))] == [300]
    assert plan_windows(seconds(0), np.array([0.0]), Windowing()) == []
    assert plan_windows(seconds(10), np.array([]), Windowing()) == []


def test_times_need_not_begin_at_zero() -> None:
    late = seconds(100) + 10
    windows = plan_windows(late, np.array([138.5]), Windowing())
    assert [w.start for w in windows] == [16, 32, 36]


def test_stitching_is_a_mean_and_unscored_cells_are_nan() -> None:
    stitcher = Stitcher(2, 4)
    stitcher.add(Window(0, 2, np.array([0])), np.array([[1.0, 3.0]]))
    stitcher.add(Window(1, 3, np.array([0])), np.array([[5.0, 0.0]]))
    mean = stitcher.mean()
    assert mean[0, :3].tolist() == [1.0, 4.0, 0.0]
    assert np.isnan(mean[0, 3]) and np.isnan(mean[1]).all()


def test_a_windowing_with_gaps_is_refused() -> None:
    with pytest.raises(UsageError, match="leave gaps"):
        Windowing(size=16, stride=32)
    for margin in (float("inf"), float("nan"), -1.0):
        with pytest.raises(UsageError, match="margin is"):
            Windowing(margin=margin)

"""Full-video retrieval: by hand, against the plain decoders, and with the published code's quirks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vidalign.aligners.decoders.dtw import dtw, dtw_padded
from vidalign.aligners.decoders.otam import otam_both
from vidalign.errors import DataError
from vidalign.evaluation.full_video import (
    MEASURES,
    Measure,
    Scale,
    full_video_metrics,
    nearest_windows,
    sequence_distances,
    video_distances,
)

A, B, C = np.eye(3)


def sequences(seed: int, lengths: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((length, 5)) for length in lengths]


def test_only_the_order_tells_these_videos_apart() -> None:
    paragraphs = [np.array([A, B, C]), np.array([C, B, A])]
    videos = [np.array([A, A, B, C]), np.array([C, B, B, A])]
    assert video_distances(paragraphs, videos, "average").tolist() == [[0, 0], [0, 0]]
    warped = video_distances(paragraphs, videos, "dtw")
    # ABC on CBBA pays for both ends; CBA on AABC also for the second A.
    np.testing.assert_allclose(warped, [[0, 2 / 12], [3 / 12, 0]])
    for measure, recall in (("average", 0.5), ("dtw", 1.0), ("otam", 1.0)):
        found = full_video_metrics(video_distances(paragraphs, videos, measure))  # type: ignore[arg-type]
        assert found["recall_1"].value == recall


@pytest.mark.parametrize("scale", ["product", "sum"])
@pytest.mark.parametrize("measure", ["dtw", "otam"])
@pytest.mark.parametrize("score", ["cosine", "dot"])
def test_batches_equal_the_decoders_pair_by_pair(measure: Measure, score: str, scale: Scale) -> None:
    paragraphs, videos = sequences(0, (3, 1, 6)), sequences(1, (4, 9, 1, 2))
    found = video_distances(paragraphs, videos, measure, score=score, scale=scale)  # type: ignore[arg-type]
    for i, text in enumerate(paragraphs):
        for j, video in enumerate(videos):
            ours, theirs = text, video
            if score == "cosine":
                ours, theirs = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (text, video))
            cost = 1 - ours @ theirs.T
            rows, columns = cost.shape
            plain = dtw(cost) if measure == "dtw" else otam_both(cost)
            by = rows * columns if scale == "product" else rows + columns
            assert found[i, j] == pytest.approx(plain / by)


def test_by_the_product_of_lengths_a_long_video_wins_that_is_not_the_right_one() -> None:
    right, longer = np.full((2, 2), 0.3), np.full((2, 8), 0.4)
    # OTAM pays for every clip one way and for every sentence the other.
    by_product = sequence_distances([right, longer], "otam", "product")
    np.testing.assert_allclose(by_product, [(0.6 + 0.6) / 4, (3.2 + 0.8) / 16])
    np.testing.assert_allclose(sequence_distances([right, longer], "otam", "sum"), [0.3, 0.4])


def test_caption_average_is_the_mean_of_each_captions_best_clip() -> None:
    captions, clips = np.array([[2.0, 0], [0, 3.0]]), np.array([[1.0, 0], [0.5, 1], [0, -1]])
    found = video_distances([captions], [clips], "average", score="dot")
    assert found == pytest.approx(np.array([[1 - (2.0 + 3.0) / 2]]))


def test_with_its_background_a_video_gives_its_nearest_windows_in_order() -> None:
    matrix = np.array([[0.9, 0.1, 0.8, 0.7, 0.2], [0.9, 0.3, 0.8, 0.05, 0.6]])
    assert nearest_windows(matrix).tolist() == [1, 3]
    assert nearest_windows(np.repeat(matrix, 2, axis=0)).tolist() == [0, 1, 2, 3, 4]
    assert nearest_windows(matrix[:1, ::-1]).tolist() == [3]
    paragraph, video = np.array([A, B]), np.array([C, A, C, B, C])
    for measure in MEASURES:
        assert video_distances([paragraph], [video], measure, background=True) == 0
        assert measure == "average" or video_distances([paragraph], [video], measure) > 0


def test_the_reference_pads_and_so_favours_the_longest_videos() -> None:
    paragraphs, videos = [np.array([A, B])], [np.array([A, B]), np.array([A, C, C])]
    corrected = video_distances(paragraphs, videos, "dtw")[0]
    published = video_distances(paragraphs, videos, "dtw", reference=True)[0]
    assert corrected.tolist() == [0, pytest.approx(2 / 6)]
    cost = np.array([[0.0, 1, 1], [1, 1, 1]])
    assert published[1] == pytest.approx(dtw_padded(cost / 6, 2, 3, reference=True)) == 0
    averages = [video_distances(paragraphs, videos, "average", reference=r).tolist() for r in (True, False)]
    assert averages[0] == averages[1]
    walked = video_distances(sequences(2, (2, 3)), sequences(3, (3, 2)), "otam", reference=True)
    assert np.isfinite(walked).all()


def test_back_is_the_transposed_question() -> None:
    distances = np.array([[0.1, 0.2], [0.0, 0.3]])
    assert full_video_metrics(distances)["recall_1"].value == 0.5
    assert full_video_metrics(distances.T)["recall_1"].value == 0.0
    assert full_video_metrics(distances)["median_rank"].value == 1.5
    assert math.isnan(full_video_metrics(distances)["recall_1"].low)
    assert full_video_metrics(distances, resamples=50)["recall_1"].low == 0


def test_what_cannot_be_compared_is_refused() -> None:
    good = [np.array([A, B])]
    for paragraphs, videos, message in (
        ([np.empty((0, 3))], good, "a paragraph has vectors of shape"),
        (good, [np.array([[math.nan, 0, 1]])], "a video has vectors with NaN"),
        (good, [np.ones((2, 4))], "3 and 4 wide"),
        ([*good, np.ones((2, 4))], good, "a paragraph is 4 wide, another 3"),
    ):
        with pytest.raises(DataError, match=message):
            video_distances(paragraphs, videos)


def test_many_matrices_go_in_batches() -> None:
    matrices = [np.full((1, 1), n / 600) for n in range(600)]
    np.testing.assert_allclose(sequence_distances(matrices, "dtw"), [n / 600 for n in range(600)])

"""Whole videos found by their paragraphs, and back, as TempCLR is evaluated (Yang et al., ICLR 2023).

A paragraph is the captions of a video in their order, a video its clips in theirs: vectors (K, C) and (T, C).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidalign.aligners.decoders.dtw import dtw, padded_as_in_reference
from vidalign.aligners.decoders.otam import otam_both
from vidalign.aligners.decoders.soft.dtw import soft_dtw
from vidalign.aligners.decoders.soft.otam import soft_otam_both
from vidalign.errors import DataError
from vidalign.evaluation.bootstrap import Estimate, estimate
from vidalign.evaluation.ranks import RankRule, ranks_of, retrieval_metrics

Measure = Literal["average", "dtw", "otam"]
MEASURES: tuple[Measure, ...] = ("average", "dtw", "otam")
Score = Literal["cosine", "dot"]
Scale = Literal["product", "sum"]
"""What the warped distance of K captions to T clips is divided by: K * T, as published, or K + T.

By the product OTAM favours long videos where lengths differ much, as they do without background.
"""

Vectors = NDArray[np.floating]
Distances = NDArray[np.float64]

KEPT = 1.3
"""Windows kept of a video with its background, as a multiple of the captions that it is compared with."""
_BATCH = 256
"""Matrices that are warped together."""


def video_distances(
    paragraphs: Sequence[Vectors],
    videos: Sequence[Vectors],
    measure: Measure = "dtw",
    *,
    score: Score = "cosine",
    background: bool = False,
    scale: Scale = "product",
    reference: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> Distances:
    """Distances (P, V) of each paragraph to each video; raises DataError where vectors do not fit.

    A caption and a clip are 1 - cosine (or dot product) apart. average: each caption to its nearest clip,
    in the mean; dtw and otam (both ways): warping, by `scale`. With `background`, videos are windows, and
    each paragraph gets the best of them (see `nearest_windows`). `reference` warps padded matrices, with
    the wrong sign in OTAM, as TempCLR's code does.
    """
    ours, theirs = _checked(paragraphs, "a paragraph", score), _checked(videos, "a video", score)
    if ours and theirs and ours[0].shape[1] != theirs[0].shape[1]:
        widths = f"{ours[0].shape[1]} and {theirs[0].shape[1]} wide"
        raise DataError(f"the vectors of paragraphs and videos are {widths}", hint="use one model for both")
    found = np.empty((len(ours), len(theirs)))
    rows = max((len(paragraph) for paragraph in ours), default=0)
    columns = max((len(video) for video in theirs), default=0)
    if background:
        columns = min(columns, int(KEPT * rows))
    for number, paragraph in enumerate(ours):
        progress(number)
        matrices = [1 - paragraph @ video.T for video in theirs]
        if background:
            matrices = [matrix[:, nearest_windows(matrix)] for matrix in matrices]
        if reference and measure != "average":
            found[number] = [_as_in_reference(matrix, rows, columns, measure) for matrix in matrices]
        else:
            found[number] = sequence_distances(matrices, measure, scale)
    return found


def sequence_distances(
    matrices: Sequence[Distances], measure: Measure, scale: Scale = "product"
) -> Distances:
    """Distances (N,) of N pairs of sequences from the distances (K, T) between their members."""
    if measure == "average":
        return np.array([matrix.min(axis=1).mean() for matrix in matrices])
    rows, columns = (np.array([matrix.shape[axis] for matrix in matrices]) for axis in (0, 1))
    distances = _warped(soft_dtw if measure == "dtw" else soft_otam_both, matrices)
    return np.asarray(distances / (rows * columns if scale == "product" else rows + columns))


def nearest_windows(matrix: Distances) -> NDArray[np.intp]:
    """The windows (columns), in their order, that are nearest to any of K captions: 1.3 K of them."""
    count = max(1, int(KEPT * len(matrix)))
    return np.sort(np.argsort(matrix.min(axis=0), kind="stable")[:count])


def full_video_metrics(
    distances: Distances, rule: RankRule = "fair", *, resamples: int = 0, seed: int = 0
) -> dict[str, Estimate]:
    """R@1, R@5, R@10 and the median rank of paragraph n's video n; transposed, of video n's paragraph."""
    ranks = ranks_of(-distances)
    return estimate(
        lambda rows: retrieval_metrics(ranks, rows, rule),
        np.arange(len(distances)),
        resamples=resamples,
        seed=seed,
    )


def _warped(warp: Callable[..., Tensor], matrices: Sequence[Distances]) -> Distances:
    found = np.empty(len(matrices))
    for first in range(0, len(matrices), _BATCH):
        costs, no_row, no_column = _padded(matrices[first : first + _BATCH])
        with torch.inference_mode():
            found[first : first + _BATCH] = warp(costs, no_row, no_column, gamma=0.0).numpy()
    return found


def _as_in_reference(matrix: Distances, rows: int, columns: int, measure: Measure) -> float:
    padded = padded_as_in_reference(matrix / matrix.size, rows, columns)
    return dtw(padded) if measure == "dtw" else otam_both(padded, reference=True)


def _padded(matrices: Sequence[Distances]) -> tuple[Tensor, Tensor, Tensor]:
    """Costs (B, K, T) and what is padding in them, (B, K) and (B, T)."""
    rows, columns = (torch.tensor([matrix.shape[axis] for matrix in matrices]) for axis in (0, 1))
    height, width = int(rows.max()), int(columns.max())
    costs = torch.zeros(len(matrices), height, width, dtype=torch.float64)
    for cost, matrix in zip(costs, matrices, strict=True):
        cost[: matrix.shape[0], : matrix.shape[1]] = torch.from_numpy(matrix)
    return costs, torch.arange(height) >= rows[:, None], torch.arange(width) >= columns[:, None]


def _checked(sequences: Iterable[Vectors], what: str, score: Score) -> list[NDArray[np.float64]]:
    """Sequences as they are compared."""
    found = [np.asarray(vectors, dtype=np.float64) for vectors in sequences]
    for vectors in found:
        if vectors.ndim != 2 or not vectors.size:
            raise DataError(f"{what} has vectors of shape {vectors.shape}", hint="expected: (number, width)")
        if vectors.shape[1] != found[0].shape[1]:
            raise DataError(f"{what} is {vectors.shape[1]} wide, another {found[0].shape[1]}")
        if not np.isfinite(vectors).all():
            raise DataError(f"{what} has vectors with NaN or infinity")
    if score == "dot":
        return found
    return [v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-12) for v in found]

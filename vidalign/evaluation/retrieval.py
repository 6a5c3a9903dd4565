"""Zero-shot text-to-clip retrieval as TAN evaluates it on YouCook2 (Han et al., CVPR 2022).

Models with vectors of whole segments are read as VideoCLIP's evaluation does: one vector a segment, compared
with that of the text by dot product (Xu et al., EMNLP 2021).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.align import check_features
from vidalign.aligners.registry import Aligner
from vidalign.aligners.scores import Embedder, SegmentEmbedder
from vidalign.errors import DataError, ModelError, VidalignError
from vidalign.evaluation.bootstrap import Estimate, estimate
from vidalign.evaluation.files import NamedFiles
from vidalign.evaluation.leftout import LeftOut, Progress, silent
from vidalign.evaluation.ranks import RankRule, ranks_of, retrieval_metrics
from vidalign.evaluation.segments import Segment
from vidalign.store.features import read_features

Variant = Literal["plain", "centred", "standardised"]
VARIANTS: tuple[Variant, ...] = ("plain", "centred", "standardised")

WINDOWS = 10
SHORTEST, LONGEST = 32, 256
"""Seconds of a window around a segment."""
TRAINED = 64
"""Positions that longer windows stretch."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Vectors (N, C) of N segments and of their texts, the segments, and the videos left out."""

    clips: Vectors
    texts: Vectors
    segments: tuple[Segment, ...]
    missing: tuple[str, ...]
    failed: Mapping[str, VidalignError]


@dataclass(frozen=True, slots=True, eq=False)
class RetrievalRow:
    """A model's numbers by one variant of its vectors."""

    model: str
    scorer: str
    variant: Variant
    ranks: RankRule
    encoded: Encoded
    metrics: Mapping[str, Estimate]


def encode(
    aligner: Aligner,
    segments: Sequence[Segment],
    files: NamedFiles,
    *,
    progress: Progress = silent,
) -> Encoded:
    """Vectors of all segments whose features are there; a bad file does not stop the others.

    Raises ModelError for a model without vectors, DataError where not one segment is left.
    """
    scorer = embedder_of(aligner)
    vectors: list[Vectors] = []
    kept: list[Segment] = []
    left = LeftOut()
    by_video = _by_video(segments)
    for video, path in left.paths(by_video, files, progress):
        own = by_video[video]
        with left.bad(video):
            features = read_features(path)
            check_features(features, aligner)
            vectors += [segment_vector(scorer, features.features, s.start, s.end) for s in own]
            kept += own
    if not kept:
        raise left.why(DataError("there are features for none of the videos"))
    texts = scorer.embed_texts([segment.text for segment in kept])
    by_cosine = scorer.score_name == "cosine" and not isinstance(scorer, SegmentEmbedder)
    texts = unit(texts) if by_cosine else texts
    return Encoded(np.stack(vectors), texts, tuple(kept), tuple(left.missing), left.failed)


def evaluate(
    encoded: Encoded,
    variant: Variant = "plain",
    rule: RankRule = "fair",
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """R@1, R@5, R@10 and the median rank of each text's own segment among all, with intervals over videos."""
    ranks = ranks_of(similarity(encoded.texts, encoded.clips, variant))
    videos = np.unique([segment.video for segment in encoded.segments], return_inverse=True)[1]
    return estimate(lambda rows: retrieval_metrics(ranks, rows, rule), videos, resamples=resamples, seed=seed)


def similarity(texts: Vectors, clips: Vectors, variant: Variant = "plain") -> Vectors:
    """Dot products (N, N) of texts with clips; `centred` takes each side's mean off, `standardised` also
    divides each coordinate by its deviation.
    """
    ours, theirs = _varied(texts, variant), _varied(clips, variant)
    return np.asarray(ours @ theirs.T, dtype=np.float32)


def _varied(vectors: Vectors, variant: Variant) -> Vectors:
    if variant == "plain":
        return vectors
    centred = np.asarray(vectors - vectors.mean(axis=0), dtype=np.float32)
    if variant == "centred":
        return centred
    deviation = vectors.std(axis=0)
    return np.asarray(centred / np.where(deviation > 0, deviation, 1), dtype=np.float32)


def segment_vector(scorer: Embedder, features: NDArray[np.floating], start: float, end: float) -> Vectors:
    """One vector (C,) of a segment of a video's features (T, D), one row a second.

    Mean over the segment's seconds and over windows that hold the segment at ten places, or that lie inside
    one longer than the longest window; by cosine, unit vectors a second and at the end. Of a scorer with
    vectors of whole segments that vector.
    """
    if start >= len(features):
        raise DataError(f"a segment begins at {start:g} s, the features end at {len(features)} s")
    if isinstance(scorer, SegmentEmbedder):
        return scorer.embed_segment(features[floor(start) : max(ceil(end), floor(start) + 1)])
    rows, low, high = window_rows(floor(start), max(1, floor(end - start)))
    windows = features[np.clip(rows, 0, len(features) - 1)]
    length = rows.shape[1]
    embedded = scorer.embed_seconds(windows, TRAINED if length >= TRAINED else None)
    inside = np.stack([window[a:b] for window, a, b in zip(embedded, low, high, strict=True)])
    if scorer.score_name != "cosine":
        return np.asarray(inside.mean(axis=(0, 1)), dtype=np.float32)
    return unit(unit(inside).mean(axis=(0, 1)))


def window_rows(start: int, seconds: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Seconds (10, L) of the windows of a segment, and where (10,) to (10,) in each of them it lies.

    L is twice the segment's length, 32 to 256. Rows may lie outside the video.
    """
    length = min(max(2 * seconds, SHORTEST), LONGEST)
    spare = abs(length - seconds)
    shift = np.floor(np.linspace(0.25 * spare, 0.75 * spare, WINDOWS)).astype(np.intp)
    if length >= seconds:
        first, low, high = start - shift, shift, shift + seconds
    else:
        first, low, high = start + shift, 0 * shift, 0 * shift + length
    return first[:, None] + np.arange(length), low, high


def embedder_of(aligner: Aligner) -> Embedder:
    """The aligner's scorer, if it has vectors of clips and texts; raises ModelError."""
    if not isinstance(aligner.scorer, Embedder):
        raise ModelError(f"{aligner.card.name} has no vectors of clips and texts to compare")
    return aligner.scorer


def _by_video(segments: Sequence[Segment]) -> dict[str, list[Segment]]:
    groups: dict[str, list[Segment]] = {}
    for segment in segments:
        groups.setdefault(segment.video, []).append(segment)
    return groups


def unit(vectors: Vectors) -> Vectors:
    """Vectors (..., C) at length 1; those of length 0 as they are."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12), dtype=np.float32)

"""What a method says of one video's sentences, and how it is held against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.decoders import Decoder, get_decoder
from vidalign.aligners.decoders.evidence import Decoded, Evidence
from vidalign.aligners.decoders.paths import nowhere
from vidalign.aligners.scores import sentence_times
from vidalign.errors import DataError
from vidalign.evaluation.annotations import TruthRow
from vidalign.evaluation.metrics import interval_iou
from vidalign.types import Alignment

WORST = -6e4
"""What a cell without a score counts as, so that a sentence without any has its peak in the first clip."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """K sentences: `peaks` (K,) in seconds (NaN: in no place), `segments` (K, 2) (NaN: not aligned).

    `scores` (K,) order sentences by how likely they can be seen, over all videos; `probabilities` (K,) are in
    [0, 1]. None: the method says nothing of that.
    """

    peaks: NDArray[np.float64]
    segments: NDArray[np.float64]
    scores: NDArray[np.float64] | None = None
    probabilities: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One row a sentence, of one video or many: `video` its number, `labels` whether it can be seen.

    `aligned` (N,) is what the method says of that. `hits` (N,) bool, whether the peak lies in the true
    interval; `errors` (N,) seconds from the middle of the segment (the peak where there is none, NaN without
    either) to that of the true interval; `ious` (N,) of segments. These three mean something where `labels`
    is True.
    """

    video: NDArray[np.intp]
    labels: NDArray[np.bool_]
    aligned: NDArray[np.bool_]
    hits: NDArray[np.bool_]
    errors: NDArray[np.float64]
    ious: NDArray[np.float64]
    scores: NDArray[np.float64] | None
    probabilities: NDArray[np.float64] | None


def peaks_of(similarity: NDArray[np.floating], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Middle in seconds of the best clip of each row (K, T); ties and rows without a score: the earliest."""
    best = np.nan_to_num(similarity, nan=WORST).argmax(axis=1)
    return np.asarray(times[best].mean(axis=1), dtype=np.float64)


def best_scores(similarity: NDArray[np.floating]) -> NDArray[np.float64]:
    """Best score of each row (K, T); rows without one get the worst."""
    return np.asarray(np.nan_to_num(similarity, nan=WORST).max(axis=1), dtype=np.float64)


def place(decoder: Decoder, evidence: Evidence) -> tuple[NDArray[np.float64], Decoded]:
    """Where a decoder has each sentence, in seconds (K,), NaN where it drops it; and all that it says.

    Of `peak` it is what HTM-Align's evaluation reads, in which every sentence is somewhere.
    """
    if decoder.name == "peak":
        return peaks_of(evidence.similarity, evidence.times), decoder(evidence)
    scored = not np.isnan(evidence.similarity).all()
    decoded = decoder(evidence) if scored else nowhere(len(evidence.similarity))
    middles = evidence.times.mean(axis=1)[decoded.clips]
    return np.where(decoded.kept, middles, np.nan), decoded


def below_kept(scores: NDArray[np.float64], decoder: Decoder, decoded: Decoded) -> NDArray[np.float64]:
    """The scores (K,), of sentences that a decoder leaves out as it thinks best below those of all others."""
    return np.where(decoded.kept, scores, scores + WORST) if decoder.drops else scores


def prediction_of(alignment: Alignment) -> Prediction:
    """What an alignment file says; raises DataError without its matrix.

    It is decoded again, as it was. A rank within its video orders nothing over all videos; then the best
    similarity does.
    """
    if alignment.similarity is None or alignment.times is None or not alignment.similarity.size:
        raise DataError(
            "the alignment was written without its matrix", hint="make it again without --no-matrix"
        )
    ranks = alignment.alignability_kind in ("rank", None)
    values = alignment.alignability.astype(np.float64)
    spoken = sentence_times(alignment.sentences)
    decoder = get_decoder(alignment.decoder or "peak")
    known = (alignment.score or "cosine", alignment.temperature or 1.0)
    peaks, decoded = place(decoder, Evidence(alignment.similarity, alignment.times, spoken, *known))
    scores = best_scores(alignment.similarity) if ranks else values
    return Prediction(
        peaks=peaks,
        segments=alignment.segments,
        scores=below_kept(scores, decoder, decoded),
        probabilities=None if ranks else values,
    )


def judge_rows(
    prediction: Prediction, rows: Sequence[TruthRow], *, exact: bool = False, video: int = 0
) -> Judged:
    """Hold a prediction against its rows; raises DataError where their numbers differ.

    The peak's second hits from floor(start) to ceil(end), both included (HTM-Align), or with `exact` from
    start to end.
    """
    if len(prediction.peaks) != len(rows):
        raise DataError(
            f"{len(prediction.peaks)} sentences for {len(rows)} rows of the truth",
            hint="align with --segment cue and --rolling keep, so that each row is one sentence",
        )
    starts = np.array([row.start for row in rows], dtype=np.float64)
    ends = np.array([row.end for row in rows], dtype=np.float64)
    low, high = (starts, ends) if exact else (np.floor(starts), np.ceil(ends))
    seconds, middles = np.floor(prediction.peaks), prediction.segments.mean(axis=1)
    return Judged(
        video=np.full(len(rows), video, dtype=np.intp),
        labels=np.array([row.alignable for row in rows], dtype=bool),
        aligned=~np.isnan(prediction.segments[:, 0]),
        hits=(low <= seconds) & (seconds <= high),
        errors=np.abs(np.where(np.isnan(middles), prediction.peaks, middles) - (starts + ends) / 2),
        ious=interval_iou(prediction.segments, np.stack([starts, ends], axis=1)),
        scores=prediction.scores,
        probabilities=prediction.probabilities,
    )


def pool(judged: Sequence[Judged]) -> Judged:
    """All sentences of all videos; scores and probabilities only if every video has them."""

    def joined(parts: Sequence[NDArray[np.float64] | None]) -> NDArray[np.float64] | None:
        known = [part for part in parts if part is not None]
        return np.concatenate(known) if known and len(known) == len(parts) else None

    return Judged(
        video=np.concatenate([j.video for j in judged]),
        labels=np.concatenate([j.labels for j in judged]),
        aligned=np.concatenate([j.aligned for j in judged]),
        hits=np.concatenate([j.hits for j in judged]),
        errors=np.concatenate([j.errors for j in judged]),
        ious=np.concatenate([j.ious for j in judged]),
        scores=joined([j.scores for j in judged]),
        probabilities=joined([j.probabilities for j in judged]),
    )

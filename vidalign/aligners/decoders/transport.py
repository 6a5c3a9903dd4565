"""Optimal transport between sentences and clips with a bucket for what has no partner (Norton, ICLR 2024)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.decoders.costs import percentile
from vidalign.aligners.decoders.evidence import Decoded, Evidence, in_order
from vidalign.aligners.decoders.options import TransportOptions
from vidalign.aligners.decoders.paths import around

HALF = 0.5
_BLOCK = 1 << 20
"""Cells that are looked at together."""
_HUGE = 1e300


def decode(evidence: Evidence, options: TransportOptions) -> Decoded:
    """Each sentence around the clip that takes most of it; dropped where the bucket takes more than half.

    Whether sentences are in order plays no part.
    """
    similarity = in_order(evidence).similarity
    best = np.fmax.reduce(similarity, axis=1)
    bucket = percentile(best[:, None], options.bucket)
    sentences, clips = sinkhorn(similarity, bucket, options.epsilon, options.iterations)
    in_bucket = np.exp(sentences[:-1] + clips[-1] + bucket / options.epsilon)
    taken = np.full(len(similarity), -1)
    for k in np.flatnonzero((in_bucket <= HALF) & ~np.isnan(best)):
        taken[k] = np.nanargmax(similarity[k] / options.epsilon + clips[:-1])
    return around(taken, evidence, similarity)


def sinkhorn(
    similarity: NDArray[np.floating], bucket: float, epsilon: float = 0.1, iterations: int = 50
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logarithms of the scalings of sentences (K + 1,) and clips (T + 1,), the buckets last.

    Of the plan exp(similarity / epsilon + sentences + clips) each sentence and each clip has mass 1; the
    bucket, of similarity `bucket` to all, can take T of the sentences' side and K of the clips'. NaN takes
    none. Needs the memory of a few lines beside the matrix.
    """
    rows, columns = similarity.shape
    sentences, clips = np.zeros(rows + 1), np.zeros(columns + 1)
    level = bucket / epsilon
    for _ in range(iterations):
        sentences[-1] = math.log(columns) - level - _log_sum(clips)
        into_clips = np.full(columns, level + sentences[-1])
        for first, block in _blocks(similarity, epsilon):
            within = slice(first, first + len(block))
            sentences[within] = -np.logaddexp(_log_sum(block + clips[:-1]), level + clips[-1])
            block += sentences[within, None]
            np.logaddexp(into_clips, _log_sum(block.T), out=into_clips)
        clips[:-1] = -into_clips
        clips[-1] = math.log(rows) - level - _log_sum(sentences)
    return sentences, clips


def _blocks(similarity: NDArray[np.floating], epsilon: float) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """First row and rows of similarity / epsilon, -inf where not scored."""
    rows = max(1, _BLOCK // max(1, similarity.shape[1]))
    for first in range(0, len(similarity), rows):
        block = similarity[first : first + rows].astype(np.float64) / epsilon
        yield first, np.nan_to_num(block, copy=False, nan=-np.inf)


def _log_sum(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of the sum of exponentials along the last axis; -inf of nothing but -inf."""
    top = np.maximum(values.max(axis=-1), -_HUGE)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(values - top[..., None]).sum(axis=-1)) + top)

"""What a decoder reads, and what it says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidalign.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """`similarity` (K, T), NaN where not scored, of K sentences in the order they are spoken with T clips.

    `times` (T, 2) and `spoken` (K, 2), NaN where unknown, are seconds. `score` is cosine or dot,
    `temperature` what similarities are divided by in a softmax.
    """

    similarity: NDArray[np.float32]
    times: NDArray[np.float64]
    spoken: NDArray[np.float64] | None = None
    score: str = "cosine"
    temperature: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """`segments` (K, 2) in seconds and `clips` (K,), the index of the clip that shows each sentence best.

    Sentences that are dropped, or that have no scored cell where they were placed, have NaN and -1.
    """

    segments: NDArray[np.float64]
    clips: NDArray[np.int64]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Which sentences (K,) have a place."""
        return self.clips >= 0


def in_order(evidence: Evidence) -> Evidence:
    """The evidence, if an order can be found in it; raises DataError."""
    sentences, clips = evidence.similarity.shape
    if not sentences:
        raise DataError("there is no sentence to align", hint="give a transcript with text")
    if clips < 2:
        raise DataError(
            f"the features have {clips} clip{'' if clips == 1 else 's'}: no order can be found in that",
            hint="use the decoder peak, or a longer video",
        )
    if np.isnan(evidence.similarity).all():
        raise DataError(
            "no sentence was scored against any clip",
            hint="do the subtitles belong to this video? --windowing global scores all",
        )
    return evidence

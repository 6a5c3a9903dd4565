"""Where in a video the steps of a task are shown, each in turn or each by itself (CrossTask, CVPR 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.align import check_features
from vidalign.aligners.decoders import Decoder, get_decoder
from vidalign.aligners.decoders.evidence import Evidence
from vidalign.aligners.registry import Aligner
from vidalign.aligners.windowing import Windowing
from vidalign.errors import DataError
from vidalign.evaluation.files import read_text
from vidalign.types import Features, Sentence

ORDERED = "steps"
"""Every step in one second, in order, where they are most similar in sum."""
PUBLISHED = "steps:cost=softmax"
"""The same by the softmax over the steps of a second, as CrossTask's evaluation does."""
FREE = "peak"
"""Every step in its best second."""


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """K steps: `segments` (K, 2) and `seconds` (K,), the middle of the best clip, both NaN where it has none.

    `scores` (K,) are the similarities of these clips.
    """

    steps: tuple[str, ...]
    segments: NDArray[np.float64]
    seconds: NDArray[np.float64]
    scores: NDArray[np.float64]


def locate(
    features: Features, steps: Sequence[str], aligner: Aligner, decoder: Decoder | str = ORDERED
) -> Located:
    """The place of each step of a list in a video; raises DataError where they do not fit each other."""
    return place(evidence_of(features, steps, aligner), steps, decoder)


def evidence_of(features: Features, steps: Sequence[str], aligner: Aligner) -> Evidence:
    """The similarity of each step with each clip; raises DataError where they do not fit the aligner."""
    check_features(features, aligner)
    if not steps:
        raise DataError("there is no step to look for", hint="give one a line")
    sentences = [Sentence(text, None, None, k, k) for k, text in enumerate(steps)]
    scores = aligner.scorer.score(features, sentences, Windowing())
    said = (None, aligner.scorer.score_name, aligner.spec.temperature)
    return Evidence(scores.similarity, features.times, *said)


def place(evidence: Evidence, steps: Sequence[str], decoder: Decoder | str = ORDERED) -> Located:
    """Where a decoder has each step; raises DataError where they cannot be placed so."""
    found = (get_decoder(decoder) if isinstance(decoder, str) else decoder)(evidence)
    at = np.maximum(found.clips, 0)
    best = evidence.similarity[np.arange(len(steps)), at].astype(np.float64)
    return Located(
        steps=tuple(steps),
        segments=found.segments,
        seconds=np.where(found.kept, evidence.times[at].mean(axis=1), np.nan),
        scores=np.where(found.kept, best, np.nan),
    )


def read_steps(path: Path) -> tuple[str, ...]:
    """The steps of a text file, one a line; raises DataError where there is none."""
    steps = tuple(line.strip() for line in read_text(path).splitlines() if line.strip())
    if not steps:
        raise DataError(f"{path} has no step", hint="write one a line")
    return steps

"""What every model must beat: subtitle times as they stand, and sentences spread evenly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidalign.errors import DataError
from vidalign.evaluation.prediction import Prediction
from vidalign.types import Sentence


def spoken(sentences: Sequence[Sentence]) -> Prediction:
    """Each sentence is where it is spoken, its peak in the middle; raises DataError without times."""
    times = np.array(
        [(np.nan, np.nan) if s.start is None or s.end is None else (s.start, s.end) for s in sentences],
        dtype=np.float64,
    ).reshape(-1, 2)
    if np.isnan(times).any():
        raise DataError("the subtitles have sentences without times", hint="give files with times")
    return Prediction(times.mean(axis=1), times)


def uniform(count: int, seconds: float) -> Prediction:
    """`count` sentences one after another, each as long as the others, over the whole video."""
    edges = np.linspace(0, seconds, count + 1)
    segments = np.stack([edges[:-1], edges[1:]], axis=1)
    return Prediction(segments.mean(axis=1), segments)

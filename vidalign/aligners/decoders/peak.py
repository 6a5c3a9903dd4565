"""The simplest decoder: each sentence by itself, around its best clip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.decoders.evidence import Decoded, Evidence
from vidalign.aligners.decoders.options import PeakOptions

LEVEL = 0.5
"""How far a neighbour may fall from the peak towards the row's median and still belong to the segment."""


def decode(evidence: Evidence, options: PeakOptions) -> Decoded:
    """Each sentence at its highest cell; whatever the others do."""
    segments = peak(evidence.similarity, evidence.times)
    clips = np.full(len(segments), -1)
    scored = ~np.isnan(evidence.similarity).all(axis=1)
    if scored.any():
        clips[scored] = np.nanargmax(evidence.similarity[scored], axis=1)
    return Decoded(segments, clips)


def peak(similarity: NDArray[np.float32], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Segments (K, 2) in seconds around each row's highest cell.

    The segment is the unbroken run of clips around the peak whose similarity stays above
    median + LEVEL * (peak - median), the median being the row's own. It reaches half-way to the clips
    beside it. Rows without a scored cell are NaN.
    """
    cells = clip_cells(times)
    segments = np.full((len(similarity), 2), np.nan)
    for row, values in enumerate(similarity):
        if not np.isnan(values).all():
            first, last = run_around(values, int(np.nanargmax(values)))
            segments[row] = cells[first, 0], cells[last, 1]
    return segments


def run_around(
    values: NDArray[np.floating], best: int, first: int = 0, last: int | None = None
) -> tuple[int, int]:
    """First and last clip of the run around `best` that `peak` speaks of, within `first` to `last`.

    A clip below the row's median stands alone.
    """
    middle = float(np.median(values[~np.isnan(values)]))
    if values[best] < middle:
        return best, best
    within = slice(first, len(values) if last is None else last + 1)
    inside = values[within] >= middle + LEVEL * (float(values[best]) - middle)
    outside = np.flatnonzero(~inside) + first
    return (
        int(outside[outside < best].max(initial=first - 1)) + 1,
        int(outside[outside > best].min(initial=first + len(inside))) - 1,
    )


def clip_cells(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """The stretch (T, 2) of the time line that each clip stands for: half-way to its neighbours' middles.

    Clips that touch without overlapping stand for themselves; longer ones share what they overlap.
    The first and the last are as wide as their one neighbour's distance, within their own times.
    """
    if len(times) < 2:
        return times.copy()
    middles = times.mean(axis=1)
    inner = (middles[1:] + middles[:-1]) / 2
    head = max(times[0, 0], middles[0] - (inner[0] - middles[0]))
    tail = min(times[-1, 1], middles[-1] + (middles[-1] - inner[-1]))
    edges = np.concatenate([[head], inner, [tail]])
    return np.stack([edges[:-1], edges[1:]], axis=1)

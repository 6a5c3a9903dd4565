"""A path through a matrix, and the segments that it gives the sentences."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.decoders.evidence import Decoded, Evidence
from vidalign.aligners.decoders.options import Extent
from vidalign.aligners.decoders.peak import clip_cells, run_around


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """What a path costs, and the cells (rows[n], columns[n]) that it matches, in their order."""

    distance: float
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


def path_of(distance: float, backwards: list[tuple[int, int]]) -> Path:
    """A path from its cells, the last first."""
    cells = np.array(backwards[::-1], dtype=np.int64).reshape(-1, 2)
    return Path(distance, cells[:, 0], cells[:, 1])


def along(path: Path, evidence: Evidence, extent: Extent) -> Decoded:
    """What a path says: each sentence at the best of its clips that were scored."""
    similarity, cells = evidence.similarity, clip_cells(evidence.times)
    decoded = nowhere(len(similarity))
    edges = np.searchsorted(path.rows, np.arange(len(similarity) + 1))
    for k, (start, stop) in enumerate(pairwise(edges)):
        clips = path.columns[start:stop]
        clips = clips[~np.isnan(similarity[k, clips])]
        if not len(clips):
            continue
        best = int(clips[np.argmax(similarity[k, clips])])
        first, last = int(clips[0]), int(clips[-1])
        if extent == "peak":
            first, last = run_around(similarity[k], best, first, last)
        decoded.clips[k] = best
        decoded.segments[k] = cells[first, 0], cells[last, 1]
    return decoded


def around(clips: NDArray[np.int64], evidence: Evidence, values: NDArray[np.floating]) -> Decoded:
    """Each sentence in the run of `values` (K, T) around its clip (-1: nowhere), short of its neighbours'."""
    cells, last_clip = clip_cells(evidence.times), len(evidence.times) - 1
    decoded = nowhere(len(clips))
    placed = np.flatnonzero(clips >= 0)
    known = [k for k in placed.tolist() if not np.isnan(evidence.similarity[k, clips[k]])]
    for n, k in enumerate(known):
        at = int(clips[k])
        before = int(clips[known[n - 1]]) if n else -1
        after = int(clips[known[n + 1]]) if n + 1 < len(known) else last_clip + 1
        span = min(before + 1, at), max(after - 1, at)
        first, last = run_around(values[k], at, *span)
        decoded.clips[k] = at
        decoded.segments[k] = cells[first, 0], cells[last, 1]
    return decoded


def nowhere(sentences: int) -> Decoded:
    """Nothing has a place yet."""
    return Decoded(np.full((sentences, 2), np.nan), np.full(sentences, -1, dtype=np.int64))

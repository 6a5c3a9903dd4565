"""An alignment as the values that its page draws: small JSON, and the matrix as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.decoders.peak import clip_cells, peak
from vidalign.errors import DataError
from vidalign.store.jsonfile import value
from vidalign.types import Alignment

FINE, COARSE = 254, 63
"""Steps between the lowest and the highest cell of a row; 0 is kept for cells that no window scored."""
MOST_FINE = 4_000_000
"""Matrices of more cells are kept in coarse steps: what is smaller opens sooner, and looks the same."""

_ROWS_AT_ONCE = 256
_MOST_STRETCH = 2.0
"""The time axis follows subtitles that go on after the last clip this far, as a share of the clips' end."""

Truth = Sequence[tuple[float, float] | None]
"""One entry a sentence: seconds in which it can be seen, None where it cannot."""
Span = list[float] | None


@dataclass(frozen=True, slots=True, eq=False)
class Payload:
    """What a page holds: JSON `values`, and the matrix (K, T) as `cells` uint8 (None: there is none)."""

    values: dict[str, Any]
    cells: NDArray[np.uint8] | None


def make_payload(alignment: Alignment, truth: Truth | None = None) -> Payload:
    """Values and cells of one page; raises DataError where clip times do not ascend or the truth misfits."""
    count = len(alignment.sentences)
    if truth is not None and len(truth) != count:
        raise DataError(f"the truth has {len(truth)} entries for {count} sentences")
    similarity, edges = _matrix(alignment), _edges(alignment)
    heard = [_span(s.start, s.end) for s in alignment.sentences]
    seen = _seen(alignment, similarity)
    values: dict[str, Any] = {
        "video": alignment.video,
        "facts": _facts(alignment),
        "notice": alignment.notice,
        "threshold": value(alignment.threshold),
        "edges": edges,
        "end": _end(edges, [*heard, *seen]),
        "text": [s.text for s in alignment.sentences],
        "heard": heard,
        "seen": seen,
        "aligned": [int(label) for label in alignment.aligned],
        "alignability": [value(v) for v in alignment.alignability],
        "confidence": [value(v) for v in alignment.confidence],
        "cues": [[s.first_cue, s.last_cue] for s in alignment.sentences],
        "truth": None if truth is None else [None if t is None else _span(*t) for t in truth],
    }
    if similarity is None or not similarity.size:
        return Payload(values, None)
    values["levels"] = FINE if similarity.size <= MOST_FINE else COARSE
    cells, low, high = quantise(similarity, values["levels"])
    values["low"], values["high"] = ([float(f"{v:.6g}") for v in bound] for bound in (low, high))
    return Payload(values, cells)


def quantise(
    similarity: NDArray[np.float32], levels: int = FINE
) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
    """(K, T) -> cells uint8 and each row's lowest and highest similarity (K,); 0 for cells not scored.

    Cell c > 0 stands for low + (c - 1) / levels * (high - low), which is off by half a step at most.
    """
    cells = np.zeros(similarity.shape, np.uint8)
    low, high = np.zeros(len(cells)), np.zeros(len(cells))
    for first in range(0, len(cells), _ROWS_AT_ONCE):
        block = slice(first, first + _ROWS_AT_ONCE)
        rows = similarity[block].astype(np.float64)
        scored = np.isfinite(rows)
        some = scored.any(axis=1)
        low[block] = np.where(some, np.where(scored, rows, np.inf).min(axis=1), 0)
        high[block] = np.where(some, np.where(scored, rows, -np.inf).max(axis=1), 0)
        spread = (high[block] - low[block])[:, None]
        share = np.divide(
            rows - low[block, None], spread, out=np.zeros_like(rows), where=scored & (spread > 0)
        )
        cells[block] = np.where(scored, 1 + np.rint(share * levels), 0).astype(np.uint8)
    return cells, low, high


def median_shift(alignment: Alignment) -> float | None:
    """Segment middle minus sentence middle in seconds, median of the aligned sentences with times."""
    shifts = [
        (start + end) / 2 - sentence.mid
        for sentence, (start, end), aligned in zip(
            alignment.sentences, alignment.segments.tolist(), alignment.aligned.tolist(), strict=True
        )
        if aligned and sentence.mid is not None and np.isfinite(start + end)
    ]
    return median(shifts) if shifts else None


def _matrix(alignment: Alignment) -> NDArray[np.float32] | None:
    """The similarity with NaN for every cell that is not finite."""
    if alignment.similarity is None or alignment.times is None:
        return None
    return np.where(np.isfinite(alignment.similarity), alignment.similarity, np.float32(np.nan))


def _edges(alignment: Alignment) -> list[float]:
    """Borders (T + 1) of the stretches that the clips stand for; none without clips."""
    if alignment.times is None or not len(alignment.times):
        return []
    cells = clip_cells(alignment.times)
    edges = np.concatenate([cells[:, 0], cells[-1:, 1]])
    if not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
        raise DataError("the times of the clips are not finite and ascending", hint="extract and align again")
    return [round(edge, 3) for edge in edges.tolist()]


def _seen(alignment: Alignment, similarity: NDArray[np.float32] | None) -> list[Span]:
    """The file's segments; for the other sentences what the peak decoder would give them, if anything."""
    segments = np.array(alignment.segments, dtype=np.float64)
    if similarity is not None and alignment.times is not None:
        left = np.flatnonzero(~alignment.aligned)
        segments[left] = peak(similarity[left], alignment.times)
    return [_span(start, end) for start, end in segments.tolist()]


def _end(edges: list[float], spans: Sequence[Span]) -> float:
    """Where the time axis ends."""
    last = max((span[1] for span in spans if span is not None), default=0.0)
    if not edges:
        return last
    return max(edges[-1], min(last, edges[-1] * _MOST_STRETCH))


def _span(start: float | None, end: float | None) -> Span:
    if start is None or end is None or not np.isfinite(start) or not np.isfinite(end):
        return None
    return [round(start, 3), round(end, 3)]


def _facts(alignment: Alignment) -> list[tuple[str, str]]:
    """What is known of how the alignment was made, in words."""
    recipe = alignment.features_recipe
    facts = {
        "subtitles": alignment.subtitles,
        "model": alignment.model,
        "scorer": alignment.scorer,
        "similarity": alignment.score,
        "decoder": alignment.decoder,
        "alignability": alignment.alignability_kind,
        "text model": alignment.text_model,
        "features": None if recipe is None else f"recipe {recipe.name}, layer {recipe.layer}",
        "weights": None if alignment.weights_sha256 is None else f"sha256 {alignment.weights_sha256[:12]}",
        "written by": None if not alignment.vidalign_version else f"vidalign {alignment.vidalign_version}",
    }
    return [(name, said) for name, said in facts.items() if said]

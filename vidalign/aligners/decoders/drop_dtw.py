"""Drop-DTW: warping in which sentences and clips may be left out at a cost (Dvornik et al., NeurIPS 2021).

An alignment is a set of sentences and clips that are kept, warped onto each other by `dtw`; it pays for the
cells of that path and for every sentence and clip that is dropped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.decoders import fast
from vidalign.aligners.decoders.costs import Cost, Matrix, as_cost, distances, percentile
from vidalign.aligners.decoders.diagonals import Diagonal, diagonals
from vidalign.aligners.decoders.evidence import Decoded, Evidence, in_order
from vidalign.aligners.decoders.options import DropDtwOptions
from vidalign.aligners.decoders.paths import Path, along, path_of

UP, LEFT = 1, 2
"""Steps into a matched cell, 0 being the diagonal one: the lowest two bits of a cell's byte."""
CLIP_DROPPED, SENTENCE_DROPPED, BOTH_DROPPED, LATER = 4, 8, 16, 32
"""Which ways out of a cell are cheapest, a bit each, set for the second of two.

Of sentence kept: (both kept, clip dropped). Of clip kept: (both kept, sentence dropped). Of sentence
dropped: (clip kept, both dropped). Of all: (sentence kept, sentence dropped).
"""

DropCost = float | NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class Drops:
    """What leaving out each sentence (K,) and each clip (T,) costs; inf: it may not be left out."""

    sentences: NDArray[np.float64]
    clips: NDArray[np.float64]


def decode(evidence: Evidence, options: DropDtwOptions) -> Decoded:
    """Each sentence among the clips that it keeps; dropped sentences have none."""
    cost = distances(in_order(evidence), must_pass=False)
    sentences, clips = (drop_percentile(cost, share) for share in (options.sentences, options.clips))
    return along(drop_dtw_path(cost, sentences, clips), evidence, options.segment)


def drop_percentile(cost: Cost, share: float) -> float:
    """The percentile `share` (0 to 100) of the costs of all scored cells."""
    share = share if cost.scale > 0 else 100 - share
    return cost.scale * percentile(cost.matrix, share) + cost.offset


def drop_dtw(
    cost: Matrix | Cost, sentences: DropCost, clips: DropCost, *, engine: fast.Engine = "auto"
) -> float:
    """The cost of the cheapest alignment, in O(K + T) memory.

    `sentences` (K,) and `clips` (T,), or one number for all, are what dropping costs (inf: never).
    """
    cost = as_cost(cost)
    return _swept(cost, _drops(cost, sentences, clips), None, engine)


def drop_dtw_path(
    cost: Matrix | Cost, sentences: DropCost, clips: DropCost, *, engine: fast.Engine = "auto"
) -> Path:
    """The cheapest alignment, in one byte a cell; no cells where nothing is kept or it costs infinitely."""
    cost = as_cost(cost)
    choices = np.zeros((cost.shape[0] + 1, cost.shape[1] + 1), dtype=np.uint8)
    distance = _swept(cost, _drops(cost, sentences, clips), choices, engine)
    return path_of(distance, _back(choices) if distance < math.inf else [])


def _drops(cost: Cost, sentences: DropCost, clips: DropCost) -> Drops:
    rows, columns = cost.shape
    return Drops(
        np.broadcast_to(np.asarray(sentences, dtype=np.float64), (rows,)),
        np.broadcast_to(np.asarray(clips, dtype=np.float64), (columns,)),
    )


def _swept(cost: Cost, drops: Drops, choices: NDArray[np.uint8] | None, engine: fast.Engine) -> float:
    """`choices` is (K + 1, T + 1): there is a node before each line too."""
    kernel = fast.kernel("drop_dtw", cost, engine)
    if kernel is None:
        return _by_diagonals(cost, drops, choices)
    return float(kernel(*fast.arguments(cost), drops.sentences, drops.clips, fast.table(choices)))


_KEPT_SENTENCE, _KEPT_CLIP, _DROPPED_SENTENCE, _ANY = range(4)
"""The cheapest ways out of a node: what is known of the sentence and the clip that end there."""


def _by_diagonals(cost: Cost, drops: Drops, choices: NDArray[np.uint8] | None) -> float:
    rows, columns = cost.shape
    before, last, here = (np.full((4, rows + 2), math.inf) for _ in range(3))
    last[1:, 1] = 0.0
    last[_KEPT_SENTENCE, 1] = math.inf
    table = None if choices is None else choices.reshape(-1)
    if table is not None:
        table[0] = SENTENCE_DROPPED | LATER
    sentences = np.concatenate([[0.0], drops.sentences])
    clips = np.concatenate([drops.clips[::-1], [0.0]])
    cells = diagonals(cost)
    for number in range(1, rows + columns + 1):
        low, high = max(0, number - columns), min(rows, number) + 1
        above, beside = slice(low, high), slice(low + 1, high + 1)
        ways = before[_ANY, above], last[_KEPT_CLIP, above], last[_KEPT_SENTENCE, beside]
        both = np.minimum(np.minimum(ways[0], ways[1]), ways[2])
        _add_costs(both, low, next(cells) if number > 1 else None)
        clip_costs = clips[columns - number + low : columns - number + high]
        states = (
            both,
            clip_costs + last[_KEPT_SENTENCE, beside],
            sentences[low:high] + last[_KEPT_CLIP, above],
            clip_costs + last[_DROPPED_SENTENCE, beside],
        )
        _ways_out(states, here[:, beside])
        if table is not None:
            start = low * columns + number
            flat = slice(start, start + (high - low - 1) * columns + 1, columns)
            table[flat] = _choices(ways, states, here[:, beside])
        before, last, here = last, here, before
    return float(last[_ANY, rows + 1])


_Lines = tuple[NDArray[np.float64], ...]


def _add_costs(both: NDArray[np.float64], low: int, cells: Diagonal | None) -> None:
    """Matching costs of the nodes of an anti-diagonal from row `low` on; those before a line cannot match."""
    costs = np.full(len(both), math.inf)
    if cells is not None:
        _, first, stop, matched, _ = cells
        costs[first + 1 - low : stop + 1 - low] = matched
    both += costs


def _ways_out(states: _Lines, ways: NDArray[np.float64]) -> None:
    both, clip_dropped, sentence_dropped, neither = states
    np.minimum(both, clip_dropped, out=ways[_KEPT_SENTENCE])
    np.minimum(both, sentence_dropped, out=ways[_KEPT_CLIP])
    np.minimum(sentence_dropped, neither, out=ways[_DROPPED_SENTENCE])
    np.minimum(ways[_KEPT_SENTENCE], ways[_DROPPED_SENTENCE], out=ways[_ANY])


def _choices(into: _Lines, states: _Lines, ways: NDArray[np.float64]) -> NDArray[np.uint8]:
    both, clip_dropped, sentence_dropped, neither = states
    first = np.minimum(into[0], into[1])
    flags = (
        (UP, into[1] < into[0]),
        (CLIP_DROPPED, clip_dropped < both),
        (SENTENCE_DROPPED, sentence_dropped < both),
        (BOTH_DROPPED, neither < sentence_dropped),
        (LATER, ways[_DROPPED_SENTENCE] < ways[_KEPT_SENTENCE]),
    )
    byte = np.zeros(len(both), dtype=np.uint8)
    for value, flag in flags:
        byte += flag.view(np.uint8) * np.uint8(value)
    left = into[2] < first
    byte[left] = byte[left] & ~np.uint8(UP) | np.uint8(LEFT)
    return byte


def _back(choices: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Matched cells from the last to the first."""
    i, j = choices.shape[0] - 1, choices.shape[1] - 1
    cells: list[tuple[int, int]] = []
    leave = _ANY
    while i or j:
        byte = int(choices[i, j])
        if leave == _ANY:
            leave = _DROPPED_SENTENCE if byte & LATER else _KEPT_SENTENCE
        if leave == _DROPPED_SENTENCE:
            if byte & BOTH_DROPPED:
                j -= 1
            else:
                i, leave = i - 1, _KEPT_CLIP
        elif leave == _KEPT_SENTENCE and byte & CLIP_DROPPED:
            j -= 1
        elif leave == _KEPT_CLIP and byte & SENTENCE_DROPPED:
            i -= 1
        else:
            cells.append((i - 1, j - 1))
            step = byte & (UP | LEFT)
            i, j = i - (step != LEFT), j - (step != UP)
            leave = (_ANY, _KEPT_CLIP, _KEPT_SENTENCE)[step]
    return cells

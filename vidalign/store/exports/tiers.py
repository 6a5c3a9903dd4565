"""Sentences on a time axis, for tools that show tiers: whole milliseconds, no overlap on one tier."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from vidalign.store.exports.values import one_line, shown_segments
from vidalign.types import Alignment


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A text from `start` to `end` in ms, end > start >= 0; `sentence` is the sentence's number."""

    start: int
    end: int
    sentence: int
    text: str


@dataclass(frozen=True, slots=True)
class Tier:
    """Marks in order that do not overlap. `marks[i]` of a tier with a parent belongs to its `marks[i]`."""

    name: str
    kind: str
    marks: tuple[Mark, ...]
    parent: str = ""


def tiers(alignment: Alignment) -> tuple[Tier, ...]:
    """`original` (as spoken), `aligned` (as seen) and `alignability`, a number for every mark of `original`.

    Where marks of one kind overlap, the later ones go to `original-2` and so on. Without subtitle times
    `original` is empty and the alignability belongs to `aligned`.
    """
    texts = [one_line(sentence.text) for sentence in alignment.sentences]
    original = [
        _mark(sentence.start, sentence.end, k, texts[k])
        for k, sentence in enumerate(alignment.sentences)
        if sentence.start is not None and sentence.end is not None
    ]
    aligned = [_mark(start, end, k, texts[k]) for k, start, end in shown_segments(alignment)]
    spoken, seen = _lanes("original", original), _lanes("aligned", aligned)
    scored = [_scores(tier, alignment) for tier in (spoken if original else seen)]
    return (*spoken, *seen, *scored)


def _mark(start: float, end: float, k: int, text: str) -> Mark:
    begin = max(round(start * 1000), 0)
    return Mark(begin, max(round(end * 1000), begin + 1), k, text)


def _lanes(name: str, marks: Iterable[Mark]) -> list[Tier]:
    lanes: list[list[Mark]] = [[]]
    for mark in sorted(marks):
        lane = next((lane for lane in lanes if not lane or lane[-1].end <= mark.start), None)
        if lane is None:
            lanes.append(lane := [])
        lane.append(mark)
    return [Tier(name if n == 0 else f"{name}-{n + 1}", "text", tuple(lane)) for n, lane in enumerate(lanes)]


def _scores(tier: Tier, alignment: Alignment) -> Tier:
    name = "alignability" + tier.name.removeprefix("original").removeprefix("aligned")
    return Tier(name, "score", _scored(tier.marks, alignment), tier.name)


def _scored(marks: Sequence[Mark], alignment: Alignment) -> tuple[Mark, ...]:
    return tuple(replace(mark, text=f"{alignment.alignability[mark.sentence]:.3f}") for mark in marks)

"""Praat TextGrid, long text form: interval tiers original, aligned and alignability of one video."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vidalign.store.exports.formats import AlignmentFormat, Options
from vidalign.store.exports.tiers import Mark, Tier, tiers
from vidalign.store.exports.values import one_text_each
from vidalign.types import Alignment


def render(alignment: Alignment, options: Options) -> str:
    """The grid, from second 0 to the end of the last mark or clip; what is empty is an empty interval."""
    found = tiers(alignment)
    length = _length(alignment, found)
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {_seconds(length)}",
        "tiers? <exists>",
        f"size = {len(found)}",
        "item []:",
    ]
    for number, tier in enumerate(found, start=1):
        lines.append(f"    item [{number}]:")
        lines.extend(f"        {line}" for line in _tier(tier, length))
    return "\n".join(lines) + "\n"


def _tier(tier: Tier, length: int) -> Iterator[str]:
    intervals = list(_filled(tier.marks, length))
    yield 'class = "IntervalTier"'
    yield f"name = {_quoted(tier.name)}"
    yield "xmin = 0"
    yield f"xmax = {_seconds(length)}"
    yield f"intervals: size = {len(intervals)}"
    for number, (start, end, text) in enumerate(intervals, start=1):
        yield f"intervals [{number}]:"
        yield f"    xmin = {_seconds(start)}"
        yield f"    xmax = {_seconds(end)}"
        yield f"    text = {_quoted(text)}"


def _filled(marks: Sequence[Mark], length: int) -> Iterator[tuple[int, int, str]]:
    """The marks and, between them, empty intervals: Praat's tiers have no gaps."""
    at = 0
    for mark in marks:
        if mark.start > at:
            yield at, mark.start, ""
        yield mark.start, mark.end, mark.text
        at = mark.end
    if at < length:
        yield at, length, ""


def _length(alignment: Alignment, found: Sequence[Tier]) -> int:
    ends = [mark.end for tier in found for mark in tier.marks]
    if alignment.times is not None and len(alignment.times):
        last = float(alignment.times[-1, 1])
        ends.append(round(last * 1000) if np.isfinite(last) else 0)
    return max(ends, default=0) or 1


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


FORMAT = AlignmentFormat(
    summary="Praat TextGrid, tiers original, aligned, alignability",
    suffix=".TextGrid",
    write=one_text_each(render),
)

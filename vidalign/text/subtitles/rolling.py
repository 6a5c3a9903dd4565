"""Captions that roll up: every cue repeats the line before it, as in YouTube's automatic captions.

The pattern: a phrase comes first as a cue whose last line carries inline word stamps, then as a plain cue of
10 ms, and each cue shows the previous line on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from vidalign.text.subtitles.markup import stamped_lines
from vidalign.types import Cue

FINAL_MS = 20
"""A cue this short only finishes the one before it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """New text that a cue brings: `text` (lines joined by a space; empty where it only repeats)."""

    cue: int
    text: str


def is_rolling(cues: Sequence[Cue]) -> bool:
    """Whether most cues repeat lines of the one before in the manner of automatic captions."""
    texts = [cue for cue in cues if cue.plain]
    repeats = sum(_repeated(a, b) > 0 for a, b in pairwise(texts))
    flashes = sum(_is_flash(cue) for cue in texts)
    if repeats == 0 or 2 * repeats < len(texts) - 1:
        return False
    if flashes and (repeats > 1 < flashes or any(cue.words for cue in texts)):
        return True
    rolled = sum(0 < _repeated(a, b) < len(_lines(b)) and len(_lines(b)) > 1 for a, b in pairwise(texts))
    return rolled >= 3 and 4 * rolled >= 3 * (len(texts) - 1)


def pieces(cues: Sequence[Cue], *, collapse: bool) -> list[Piece]:
    """What each cue that shows text adds to the narration, in order."""
    found: list[Piece] = []
    before: Cue | None = None
    for place, cue in enumerate(cues):
        lines = _lines(cue)
        if not lines:
            continue
        fresh = lines[_repeated(before, cue) :] if collapse and before is not None else lines
        found.append(Piece(place, " ".join(" ".join(fresh).split())))
        before = cue
    return found


def is_final(cue: Cue) -> bool:
    """Whether the cue is one of the very short ones that finish a phrase."""
    return _is_flash(cue)


def _is_flash(cue: Cue) -> bool:
    return cue.start is not None and cue.end is not None and cue.end - cue.start <= FINAL_MS


def _lines(cue: Cue) -> list[str]:
    return [line.strip() for line in cue.plain.split("\n") if line.strip()]


def _repeated(before: Cue, cue: Cue) -> int:
    """How many first lines of `cue` were the last of `before`; a line with word stamps is always new."""
    old, new = _lines(before), _lines(cue)
    limit = min(len(old), len(new))
    if cue.words:
        stamped = stamped_lines(cue.text)
        limit = min(limit, stamped.index(True) if True in stamped else limit)
    return next((k for k in range(limit, 0, -1) if old[-k:] == new[:k]), 0)

"""SBV (YouTube's SubViewer): a line `0:00:01.000,0:00:02.500`, then text up to the next such line."""

from __future__ import annotations

import re

from vidalign.text.subtitles.markup import plain
from vidalign.text.subtitles.model import Notes, Parsed
from vidalign.text.subtitles.stamps import milliseconds
from vidalign.types import Cue

_STAMP = r"(-?(?:\d+:)?\d+:\d+(?:[.,]\d*)?)"
_TIMING = re.compile(rf"^\s*{_STAMP}\s*,\s*{_STAMP}\s*$")
_BROKEN = re.compile(r"^\s*\d+:\d+:\d+[\d.,:\s]*$")


def read(text: str, notes: Notes) -> Parsed:
    """All cues of an SBV file."""
    lines = text.split("\n")
    cues: list[Cue] = []
    at = 0
    while at < len(lines):
        match = _TIMING.match(lines[at])
        end = _next_entry(lines, at + 1)
        if match is not None:
            start, stop = milliseconds(match[1]), milliseconds(match[2])
            payload = "\n".join(lines[at + 1 : end]).strip("\n")
            cues.append(Cue(start, stop, payload, plain(payload, "sbv"), line=at + 1))
        elif _BROKEN.match(lines[at]):
            notes.add(
                "a timing line that cannot be read; its cue is left out", at + 1, lines[at].strip()[:60]
            )
        elif any(line.strip() for line in lines[at:end]):
            notes.add("text before the first timing line is left out", at + 1)
        at = end
    return Parsed(cues)


def _next_entry(lines: list[str], at: int) -> int:
    while at < len(lines) and not (_TIMING.match(lines[at]) or _broken_head(lines, at)):
        at += 1
    return at


def _broken_head(lines: list[str], at: int) -> bool:
    return bool(_BROKEN.match(lines[at])) and not lines[at - 1].strip()

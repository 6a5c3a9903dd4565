"""ASS and SSA (SubStation Alpha): the Dialogue lines of the section [Events]."""

from __future__ import annotations

from vidalign.text.subtitles.markup import plain
from vidalign.text.subtitles.model import Notes, Parsed
from vidalign.text.subtitles.stamps import milliseconds
from vidalign.types import Cue

_FIELDS = ["layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text"]


def read(text: str, notes: Notes) -> Parsed:
    """All dialogue cues in file order; Comment lines are none."""
    cues: list[Cue] = []
    fields = _FIELDS
    events = True
    for number, line in enumerate(text.split("\n"), start=1):
        head = line.lstrip()
        if head.startswith("["):
            events = head.lower().startswith("[events]")
        elif events and head[:7].lower() == "format:":
            fields = [name.strip().lower() for name in head[7:].split(",")]
            if not {"start", "end", "text"} <= set(fields) or fields[-1] != "text":
                raise notes.error("the Format line of [Events] lacks Start, End or a last field Text", number)
        elif events and head[:9].lower() == "dialogue:":
            cue = _cue(head[9:], fields, number)
            if cue is None:
                notes.add("a Dialogue line that cannot be read is left out", number, line.strip()[:60])
            else:
                cues.append(cue)
    return Parsed(cues)


def _cue(line: str, fields: list[str], number: int) -> Cue | None:
    values = line.split(",", len(fields) - 1)
    if len(values) < len(fields):
        return None
    entry = dict(zip(fields, values, strict=True))
    start, end = milliseconds(entry["start"]), milliseconds(entry["end"])
    if start is None or end is None:
        return None
    return Cue(start, end, entry["text"], plain(entry["text"], "ass"), line=number)

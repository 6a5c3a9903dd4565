"""SRT, found by its timing lines: an index may be missing, and blank lines may stand inside a text."""

from __future__ import annotations

from dataclasses import dataclass

from vidalign.text.subtitles import markup
from vidalign.text.subtitles.model import Block, Notes, Parsed
from vidalign.text.subtitles.stamps import (
    LONGEST_NUMBER,
    Timing,
    looks_like_timing,
    note_faults,
    timing_line,
)
from vidalign.types import Cue


@dataclass(frozen=True, slots=True)
class _Entry:
    """First line of an entry, its timing line, and what that says (None: it cannot be read)."""

    first: int
    stamped: int
    timing: Timing | None


def read(text: str, notes: Notes) -> Parsed:
    """All cues and blocks of an SRT file; lines are counted from 1 in `Cue.line`."""
    lines = text.split("\n")
    entries = _entries(lines, notes)
    cues: list[Cue] = []
    blocks: list[Block] = []
    begin = entries[0].first if entries else len(lines)
    if any(line.strip() for line in lines[:begin]):
        notes.add("text before the first timing line is left out", 1)
    if begin:
        blocks.append(Block(_source(lines, 0, begin)))
    for place, entry in enumerate(entries):
        end = entries[place + 1].first if place + 1 < len(entries) else len(lines)
        if entry.timing is None:
            notes.add(
                "a timing line that cannot be read; its cue is left out",
                entry.stamped + 1,
                lines[entry.stamped].strip()[:60],
            )
            blocks.append(Block(_source(lines, entry.first, end)))
            continue
        last = _payload_end(lines, entry, end, notes)
        cues.append(_cue(lines, entry, entry.timing, last, notes))
        before = sum(len(line) + 1 for line in lines[entry.first : entry.stamped])
        a, b, c, d = (before + offset for offset in entry.timing.stamps)
        payload = before + len(lines[entry.stamped]) + 1
        dangling = any(line.strip() for line in lines[last:end])
        blocks.append(
            Block(
                _source(lines, entry.first, last if dangling else end), len(cues) - 1, (a, b, c, d), payload
            )
        )
        if dangling:
            blocks.append(Block(_source(lines, last, end)))
    return Parsed(cues, blocks)


def _cue(lines: list[str], entry: _Entry, timing: Timing, end: int, notes: Notes) -> Cue:
    note_faults(lines[entry.stamped], timing, ",", entry.stamped + 1, notes)
    if entry.first == entry.stamped:
        notes.add("a cue has no index", entry.stamped + 1)
    first = entry.stamped + 1
    name = lines[entry.first].strip() if entry.first < entry.stamped else ""
    for place in range(first, end):
        if not lines[place].strip() and place > first:
            notes.add("a blank line inside the text of a cue", place + 1)
        elif "-->" in lines[place]:
            notes.add("an arrow inside the text of a cue", place + 1)
    text = "\n".join(lines[first:end])
    return Cue(
        start=timing.start,
        end=timing.end,
        text=text,
        plain=markup.plain(text, "srt"),
        id=name,
        settings=timing.rest,
        line=entry.first + 1,
        words=markup.word_stamps(text, timing.start),
    )


def _payload_end(lines: list[str], entry: _Entry, end: int, notes: Notes) -> int:
    """Where the text of an entry ends: before trailing blank lines and an index that nothing follows."""
    first = entry.stamped + 1

    def trimmed(at: int) -> int:
        while at > first and not lines[at - 1].strip():
            at -= 1
        return at

    end = trimmed(end)
    index = lines[entry.first].strip() if entry.first < entry.stamped else ""
    if (
        index
        and len(index) <= LONGEST_NUMBER
        and end - first > 1
        and not lines[end - 2].strip()
        and lines[end - 1].strip() == str(int(index) + 1)
    ):
        notes.add("an index without a timing line is left out", end)
        return trimmed(end - 1)
    return end


def _entries(lines: list[str], notes: Notes) -> list[_Entry]:
    """Where entries begin; what lies between two beginnings belongs to the first."""
    entries: list[_Entry] = []
    previous = -1
    for place, line in enumerate(lines):
        timing = timing_line(line)
        if timing is None and not _broken(lines, place):
            continue
        numbered = place > 0 and lines[place - 1].strip().isdecimal()
        first = place - 1 if numbered else place
        if entries and first > 0 and lines[first - 1].strip() and first - 1 != previous:
            notes.add("no blank line between two cues", place + 1)
        entries.append(_Entry(first, place, timing))
        previous = place
    return entries


def _broken(lines: list[str], place: int) -> bool:
    """A line meant as a timing line: it looks like one and stands at the head of an entry."""
    if not looks_like_timing(lines[place]):
        return False
    before = lines[place - 1].strip() if place else ""
    return "-->" in lines[place] or before.isdecimal()


def _source(lines: list[str], first: int, last: int) -> str:
    text = "\n".join(lines[first:last])
    return text if last == len(lines) else text + "\n"

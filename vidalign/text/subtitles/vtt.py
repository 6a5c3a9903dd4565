"""WebVTT, read after the block algorithm of the WHATWG standard, with leniencies that are noted."""

from __future__ import annotations

import re

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

_HEADER = re.compile(r"WEBVTT(?=$|[ \t])")
_ASIDE = re.compile(r"(NOTE|STYLE|REGION)(?=$|[ \t])")


def read(text: str, notes: Notes) -> Parsed:
    """All cues and blocks of a WebVTT file; lines are counted from 1 in `Cue.line`."""
    return _Reader(text, notes).read()


class _Reader:
    def __init__(self, text: str, notes: Notes) -> None:
        self.lines = text.split("\n")
        self.notes = notes
        self.cues: list[Cue] = []
        self.blocks: list[Block] = []
        self.begun = 0

    def read(self) -> Parsed:
        at = self._header()
        while at < len(self.lines):
            if not self.lines[at]:
                at += 1
                continue
            timed = self._timed(at)
            at = self._aside(at) if timed is None else self._cue(at, *timed)
        self._close(len(self.lines))
        return Parsed(self.cues, self.blocks)

    def _header(self) -> int:
        if not _HEADER.match(self.lines[0]):
            self.notes.add("the line WEBVTT is missing at the top", 1)
            return 0
        at = 1
        while at < len(self.lines) and self.lines[at] and "-->" not in self.lines[at]:
            if self.lines[at].startswith("X-TIMESTAMP-MAP"):
                self.notes.add("X-TIMESTAMP-MAP is not applied; times count as they stand", at + 1)
            at += 1
        return at

    def _timed(self, at: int) -> tuple[int, Timing] | None:
        """The timing line of a block that begins at `at`: its first line, or the second after an id."""
        timing = timing_line(self.lines[at])
        if timing is not None:
            return at, timing
        if at + 1 < len(self.lines) and "-->" not in self.lines[at]:
            timing = timing_line(self.lines[at + 1])
            if timing is not None:
                return at + 1, timing
        return None

    def _cue(self, at: int, stamped: int, timing: Timing) -> int:
        self._close(at)
        line = self.lines[stamped]
        note_faults(line, timing, ".", stamped + 1, self.notes)
        name = self.lines[at] if stamped > at else ""
        end = self._payload_end(stamped + 1, name)
        text = "\n".join(self.lines[stamped + 1 : end])
        self.cues.append(
            Cue(
                start=timing.start,
                end=timing.end,
                text=text,
                plain=markup.plain(text, "vtt"),
                id=name,
                settings=timing.rest,
                line=at + 1,
                words=markup.word_stamps(text, timing.start),
            )
        )
        after = end
        while after < len(self.lines) and not self.lines[after]:
            after += 1
        shift = len(name) + 1 if stamped > at else 0
        first, first_end, second, second_end = (shift + place for place in timing.stamps)
        self.blocks.append(
            Block(
                text=self._source(at, after),
                cue=len(self.cues) - 1,
                stamps=(first, first_end, second, second_end),
                payload=shift + len(line) + 1,
            )
        )
        self.begun = after
        return after

    def _payload_end(self, at: int, name: str) -> int:
        """The line at which a payload ends: a blank one, or the next cue where none stands between."""
        number = int(name) if name.isdecimal() and len(name) <= LONGEST_NUMBER else None
        for place in range(at, len(self.lines)):
            line = self.lines[place]
            if not line:
                return place
            if "-->" in line:
                if timing_line(line) is not None or looks_like_timing(line):
                    self.notes.add("no blank line between two cues", place + 1)
                    return place
                self.notes.add("an arrow inside the text of a cue", place + 1)
            elif number is not None and line.lstrip("0") == str(number + 1):
                following = self.lines[place + 1] if place + 1 < len(self.lines) else ""
                if timing_line(following) is not None:
                    self.notes.add("no blank line between two cues", place + 1)
                    return place
        return len(self.lines)

    def _aside(self, at: int) -> int:
        """A block without a timing line: NOTE, STYLE, REGION, or an entry that players skip."""
        kept = _ASIDE.match(self.lines[at])
        end = at
        while end < len(self.lines) and self.lines[end]:
            if end > at and timing_line(self.lines[end]) is not None:
                break
            end += 1
        if not kept:
            broken = next((n for n in range(at, min(at + 2, end)) if looks_like_timing(self.lines[n])), None)
            if broken is None:
                self.notes.add("text without a timing line, which players skip, is left out", at + 1)
            else:
                self.notes.add(
                    "a timing line that cannot be read; its cue is left out",
                    broken + 1,
                    self.lines[broken].strip()[:60],
                )
        return end

    def _close(self, at: int) -> None:
        """Ends the stretch of lines before `at` that belongs to no cue."""
        if at > self.begun:
            self.blocks.append(Block(self._source(self.begun, at)))
        self.begun = at

    def _source(self, first: int, last: int) -> str:
        text = "\n".join(self.lines[first:last])
        return text if last == len(self.lines) else text + "\n"

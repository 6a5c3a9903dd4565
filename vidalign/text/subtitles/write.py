"""Subtitle files written back: the same cues, ids, texts and settings; only times change."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vidalign.errors import SubtitleError
from vidalign.text.subtitles import markup
from vidalign.text.subtitles.model import Block, SubtitleFile
from vidalign.text.subtitles.stamps import milliseconds, srt_stamp, vtt_stamp
from vidalign.types import Cue

Unaligned = Literal["keep", "drop", "mark"]
Times = Sequence[tuple[int, int] | None]

MARK = "[unaligned] "
"""What `unaligned="mark"` puts before the text of a cue that was not re-timed."""

_STAMPS = {"vtt": vtt_stamp, "srt": srt_stamp}
_PROPER = {
    "vtt": re.compile(r"(?:\d{2,}:)?[0-5]\d:[0-5]\d\.\d{3}"),
    "srt": re.compile(r"\d{2,}:[0-5]\d:[0-5]\d,\d{3}"),
}
_INLINE = re.compile(r"<(\d+:[\d:.,]*)>")
_HEADER = "WEBVTT\n\n"
_log = logging.getLogger("vidalign.text")


@dataclass(frozen=True, slots=True)
class _Entry:
    """A cue to be written: its place in the file, its time, whether that is new, whether it gets the mark."""

    place: int
    cue: Cue
    start: int
    end: int
    moved: bool
    marked: bool


def write_subtitles(file: SubtitleFile, times: Times, format: str, *, unaligned: Unaligned = "keep") -> str:
    """The text of a `vtt` or `srt` file with every cue at its new time in ms (None: as it was).

    Cues stand in order of their start (ties: old order), each with its id, text and settings; inline word
    stamps move with their cue. In the file's own format what lies between the cues is kept, and where nothing
    changes the result is the file. `unaligned` says what becomes of a cue without a new time: keep, drop, or
    mark (`MARK` before its text). A cue with neither a new nor an old time is left out, with a warning.
    Raises SubtitleError for another format.
    """
    if format not in _STAMPS:
        raise SubtitleError(f"subtitles are written as vtt or srt, not {format!r}", path=file.path)
    if len(times) != len(file.cues):
        raise ValueError(f"{len(times)} times for {len(file.cues)} cues")
    entries = _entries(file, times, unaligned)
    if file.blocks and format == file.format:
        return _rewritten(file, entries, format)
    return _rendered(file, entries, format)


def _entries(file: SubtitleFile, times: Times, unaligned: Unaligned) -> list[_Entry]:
    entries: list[_Entry] = []
    untimed = 0
    for place, (cue, new) in enumerate(zip(file.cues, times, strict=True)):
        if new is None and unaligned == "drop":
            continue
        if new is not None:
            entries.append(_Entry(place, cue, max(new[0], 0), max(new[1], new[0], 0), True, False))
        elif cue.start is not None and cue.end is not None:
            entries.append(_Entry(place, cue, cue.start, cue.end, False, unaligned == "mark"))
        else:
            untimed += 1
    if untimed:
        _log.warning("%s: %d cues without a time are left out", file.path or "subtitles", untimed)
    if any(entry.moved for entry in entries):
        entries.sort(key=lambda entry: entry.start)
    return entries


def _rewritten(file: SubtitleFile, entries: Sequence[_Entry], format: str) -> str:
    """In the file's own format: its blocks, with other stamps in them where cues moved."""
    source = "".join(block.text for block in file.blocks)
    mark = "\ufeff" if file.encoding == "utf-8-sig" else ""
    in_place = [entry.place for entry in entries] == list(range(len(file.cues)))
    if in_place and not any(entry.moved or entry.marked for entry in entries):
        return mark + source
    head, before, blocks, tail = _layout(file)
    if format == "vtt" and not head.startswith("WEBVTT"):
        head = _HEADER + head
    written = {entry.place: _stamped(blocks[entry.place], entry, format) for entry in entries}
    kept = [before[entry.place] + written[entry.place] for entry in entries]
    orphans = [text for place, text in enumerate(before) if place not in written]
    chunks = [head, *kept, *orphans, tail]
    if not in_place:
        chunks = [_closed(chunk) for chunk in chunks]
    ending = source[len(source.rstrip("\n")) :]
    return mark + "".join(chunks).rstrip("\n") + (ending or "\n")


def _layout(file: SubtitleFile) -> tuple[str, list[str], list[Block], str]:
    """What stands before the first cue, before each cue, the cues' own blocks, and what ends the file."""
    head, waiting = "", ""
    before: list[str] = []
    blocks: list[Block] = []
    for block in file.blocks:
        if block.cue is None:
            waiting += block.text
        else:
            head, waiting = (waiting, "") if not blocks else (head, waiting)
            before.append(waiting)
            blocks.append(block)
            waiting = ""
    return head, before, blocks, waiting


def _closed(chunk: str) -> str:
    """Ends a stretch of the file with a blank line."""
    return chunk.rstrip("\n") + "\n\n" if chunk.strip("\n") else ""


def _stamped(block: Block, entry: _Entry, format: str) -> str:
    a, b, c, d = block.stamps
    first, arrow, second = block.text[a:b], block.text[b:c], block.text[c:d]
    proper = _PROPER[format]
    if entry.moved or not (proper.fullmatch(first) and proper.fullmatch(second)):
        stamp = _STAMPS[format]
        first, second = stamp(entry.start), stamp(max(entry.end, 0))
    if not re.fullmatch(r"[ \t]+-->[ \t]+", arrow):
        arrow = " --> "
    body = block.text[block.payload :]
    if entry.moved and entry.cue.words:
        body = _shifted(body, entry)
    mark = MARK if entry.marked and entry.cue.plain else ""
    return block.text[:a] + first + arrow + second + block.text[d : block.payload] + mark + body


def _shifted(text: str, entry: _Entry) -> str:
    """Inline word stamps moved and stretched with their cue."""
    old, length = entry.cue.start or 0, (entry.cue.end or 0) - (entry.cue.start or 0)
    scale = (entry.end - entry.start) / length if length > 0 else 1.0

    def moved(match: re.Match[str]) -> str:
        at = milliseconds(match[1])
        return match[0] if at is None else f"<{vtt_stamp(round(entry.start + (at - old) * scale))}>"

    return _INLINE.sub(moved, text)


def _rendered(file: SubtitleFile, entries: Sequence[_Entry], format: str) -> str:
    """From the cues alone: another format, or a file whose layout is not known."""
    names = _names(entries, format)
    stamp = _STAMPS[format]
    parts = [_HEADER] if format == "vtt" else []
    for entry, name in zip(entries, names, strict=True):
        text = _payload(entry, file.format, format)
        settings = f" {entry.cue.settings}" if entry.cue.settings and file.format == format else ""
        timing = f"{stamp(entry.start)} --> {stamp(max(entry.end, 0))}{settings}\n"
        parts.append((f"{name}\n" if name else "") + timing + (f"{text}\n\n" if text else "\n"))
    return "".join(parts).rstrip("\n") + "\n"


def _payload(entry: _Entry, source: str, target: str) -> str:
    text = entry.cue.text
    if source != target:
        convert = markup.to_vtt if target == "vtt" else markup.to_srt
        text = convert(entry.cue, source)
    elif entry.moved and entry.cue.words:
        text = _shifted(text, entry)
    return MARK + text if entry.marked and entry.cue.plain else text


def _names(entries: Sequence[_Entry], format: str) -> list[str]:
    """The ids to write; SRT needs numbers, so other ids give way to a running count."""
    names = [" ".join(entry.cue.id.split()).replace("-->", "->") for entry in entries]
    if format == "srt" and not all(name.isdecimal() for name in names):
        return [str(number) for number in range(1, len(entries) + 1)]
    return names

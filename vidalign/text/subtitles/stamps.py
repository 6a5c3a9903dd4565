"""Time stamps and timing lines as they are met in WebVTT and SRT files, right ones and wrong ones."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vidalign.text.subtitles.model import Notes

LONGEST_STAMP = 64
"""Characters of a time; what is longer is none."""
LONGEST_NUMBER = 18
"""Digits of the number of a cue; what is longer is a name."""

_PART = r"-?\s?(?:\d+\s?:\s?)?\d+\s?:\s?\d+(?:\s?[.,:]\s?\d*)?"
_TIMING = re.compile(rf"^\s*({_PART})\s*(--?>|—>|–>)\s*({_PART})(?=$|\s)(.*)$")
_STAMP = re.compile(r"^(-?)\s?(?:(\d+)\s?:\s?)?(\d+)\s?:\s?(\d+)(?:\s?([.,:])\s?(\d*))?$")
_LIKE_TIMING = re.compile(r"^\s*-?\d*:?\d+:\d+\S*\s*-+>?|-->\s*\d*:?\d+:\d+|^\s*-->\s*$|^\s*[\d:.,-]+\s*-->")
_TIME_ALONE = re.compile(r"^\s*\d+:\d+:\d+[.,]\d+\s*$")


@dataclass(frozen=True, slots=True)
class Timing:
    """A timing line: milliseconds, what follows the stamps, and where the stamps stand in the line."""

    start: int
    end: int
    rest: str
    stamps: tuple[int, int, int, int]


def milliseconds(stamp: str) -> int | None:
    """`[-][H:]M:S[.fff]` in ms, None if it is no stamp; a short fraction is decimal (`,5`: 500 ms)."""
    match = _STAMP.match(stamp.strip())
    if match is None or len(stamp) > LONGEST_STAMP:
        return None
    sign, hours, minutes, seconds, _, fraction = match.groups()
    part = round(int((fraction or "0").ljust(4, "0")[:4]) / 10)
    total = ((int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + part
    return -total if sign else total


def timing_line(line: str) -> Timing | None:
    """Reads a timing line with every known leniency, None if it is none."""
    match = _TIMING.match(line) if ">" in line else None
    if match is None:
        return None
    start, end = milliseconds(match[1]), milliseconds(match[3])
    if start is None or end is None:
        return None
    return Timing(start, end, match[4].strip(), (*match.span(1), *match.span(3)))


def looks_like_timing(line: str) -> bool:
    """Whether a line that is no timing line was meant to be one."""
    return len(line) < 200 and bool(_LIKE_TIMING.search(line) or _TIME_ALONE.match(line))


def note_faults(line: str, timing: Timing, point: str, number: int, notes: Notes) -> None:
    """Notes the ways in which a readable timing line breaks its format's rules; `point` is `.` or `,`."""
    first, first_end, second, second_end = timing.stamps
    if "-->" not in line[first_end:second]:
        notes.add("a timing line has no proper arrow", number)
    for stamp in (line[first:first_end], line[second:second_end]):
        match = _STAMP.match(stamp)
        if match is None:
            continue
        sign, hours, minutes, seconds, mark, fraction = match.groups()
        if mark and mark != point:
            notes.add(f"milliseconds after {mark!r} instead of {point!r}", number)
        if len(fraction or "") != 3:
            notes.add("a time without three digits of milliseconds", number, stamp)
        if sign:
            notes.add("a time below 0", number, stamp)
        if int(seconds) > 59 or (hours and int(minutes) > 59):
            notes.add("minutes or seconds above 59", number, stamp)


def vtt_stamp(ms: int) -> str:
    """`HH:MM:SS.mmm`; below 0 becomes 0."""
    return _stamp(ms, ".")


def srt_stamp(ms: int) -> str:
    """`HH:MM:SS,mmm`; below 0 becomes 0."""
    return _stamp(ms, ",")


def _stamp(ms: int, point: str) -> str:
    seconds, part = divmod(max(ms, 0), 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{point}{part:03}"

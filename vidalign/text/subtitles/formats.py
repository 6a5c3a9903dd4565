"""Which subtitle formats there are, and which of them a text is in. One line here and one file a format."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from vidalign.errors import SubtitleError, did_you_mean
from vidalign.outside import load_json
from vidalign.text.subtitles.model import Notes, Parsed

Reader = Callable[[str, Notes], Parsed]

_ARROW = re.compile(r"^[ \t]*-?[\d:.,]*\d[ \t]*:[ \t]*\d[\d:., \t]*--?>", re.MULTILINE)
_COMMA_ARROW = re.compile(r"^[ \t]*-?[\d: \t]+,[ \t]?\d+[ \t]*--?>", re.MULTILINE)
_SBV = re.compile(r"\s*\d+:\d\d:\d\d[.,]\d+\s*,\s*\d+:\d\d:\d\d[.,]\d+\s*(\n|$)")
_CSV = re.compile(r'\s*[^\n]*(?<![^,"\s])"?(start|end)"?\s*,[^\n]*text', re.IGNORECASE)
_ASS = re.compile(r"^\s*(\[(Script Info|Events|V4\+? Styles)\]|Dialogue:)", re.IGNORECASE | re.MULTILINE)
_TTML = re.compile(r"<(\w+:)?tt[\s>]")


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its name for people, the module with `read(text, notes)`, and its file suffixes."""

    title: str
    module: str
    suffixes: tuple[str, ...]

    def reader(self) -> Reader:
        """The reading function, imported on first use."""
        return cast(Reader, import_module(f"vidalign.text.subtitles.{self.module}").read)


FORMATS = {
    "vtt": Format("WebVTT", "vtt", (".vtt",)),
    "srt": Format("SRT", "srt", (".srt",)),
    "sbv": Format("SBV", "sbv", (".sbv",)),
    "ass": Format("ASS", "ass", (".ass", ".ssa")),
    "ttml": Format("TTML", "ttml", (".ttml", ".dfxp", ".xml")),
    "youtube": Format("YouTube json3", "youtube", (".json3",)),
    "howto100m": Format("HowTo100M captions", "howto100m", (".json", ".csv")),
    "plain": Format("plain text", "plain", (".txt", ".text")),
}
SUFFIXES = {suffix: name for name, entry in FORMATS.items() for suffix in entry.suffixes}


def get_format(name: str) -> Format:
    """The format called `name`; raises SubtitleError that lists the known ones."""
    if name not in FORMATS:
        raise SubtitleError(
            f"there is no subtitle format {name!r}",
            hint=did_you_mean(name, FORMATS, f"known formats: {', '.join(FORMATS)}"),
        )
    return FORMATS[name]


def recognise(text: str, suffix: str, notes: Notes) -> str:
    """The format of a file, by content and then by suffix; a misleading suffix is noted.

    Raises SubtitleError where neither says anything.
    """
    claimed = SUFFIXES.get(suffix.lower())
    found = _by_content(text)
    if found is None or ({found, claimed} == {"vtt", "srt"} and not _is_sure(text)):
        found = claimed or found
    if found is None:
        raise notes.error(
            "no subtitle format is recognised in this file",
            hint=f"known suffixes: {' '.join(SUFFIXES)}",
        )
    if claimed is not None and claimed != found:
        notes.add(f"named {suffix} but holds {FORMATS[found].title}; read as that")
    return found


def _is_sure(text: str) -> bool:
    """WebVTT and SRT are told apart by the header, else only by an index before a comma-stamped first cue."""
    return text.startswith("WEBVTT") or bool(re.match(r"\s*\d+\s*\n\s*[\d:]+,\d+\s*-->", text))


def _by_content(text: str) -> str | None:
    head = text[:65536]
    opening = head.lstrip()[:1]
    if head.startswith("WEBVTT"):
        return "vtt"
    if opening in ("{", "["):
        kind = _json_kind(text)
        if kind is not None:
            return kind
    if opening == "<" and _TTML.search(head):
        return "ttml"
    if _ASS.search(head):
        return "ass"
    if _SBV.match(head):
        return "sbv"
    if _ARROW.search(head):
        return "srt" if _COMMA_ARROW.search(head) else "vtt"
    return "howto100m" if _CSV.match(head.split("\n", 1)[0]) else None


def _json_kind(text: str) -> str | None:
    try:
        value = load_json(text)
    except ValueError:
        return None
    return "youtube" if isinstance(value, dict) and "events" in value else "howto100m"

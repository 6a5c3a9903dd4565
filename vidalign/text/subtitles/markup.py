"""What a viewer sees of a cue's payload: tags stripped, entities decoded; and its inline word stamps."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from vidalign.text.subtitles.stamps import milliseconds
from vidalign.types import Cue

_OVERRIDE = re.compile(r"\{\\[^{}]*\}|\{/?[biuyBIUY](?::[^{}]*)?\}")
_VTT_TAG = re.compile(r"</?(?:[A-Za-z][^<>]*)?>|<\d+:[\d:.,]*>")
_HTML_TAG = re.compile(
    r"</?(?:b|i|u|s|em|strong|strike|font|span|p|c|v|lang|ruby|rt|big|small)(?=[\s.>/=])[^<>]*>|<\d+:[\d:.,]*>",
    re.IGNORECASE,
)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_STAMP = re.compile(r"<(\d+:[\d:.,]*)>")
_KEPT = re.compile(r"<(/?)([biu])(?:\.[^<>\s]*)?>", re.IGNORECASE)
_MARKED = frozenset({"vtt", "srt", "ass"})
_ASS_BLOCK = re.compile(r"(\{[^{}]*\})")


def plain(text: str, format: str) -> str:
    """What a viewer sees of a payload of `format`; a format without markup shows it as it is."""
    return _shown(text, format).replace("\xa0", " ").strip()


def to_vtt(cue: Cue, format: str) -> str:
    """The payload of a cue of `format` as WebVTT: bold, italic, underline stay, the rest is escaped text."""
    return _rewrite(cue, format, lambda shown: html.escape(shown, quote=False).replace("\xa0", "&nbsp;"))


def to_srt(cue: Cue, format: str) -> str:
    """The payload of a cue of `format` as SRT: only what would be read as markup is escaped."""
    return _rewrite(cue, format, _escape_srt)


def word_stamps(text: str, start: int) -> tuple[tuple[int, str], ...]:
    """The inline stamps of a WebVTT payload as (ms, words until the next stamp).

    Only lines that hold a stamp count; what stands before a line's first stamp is spoken from `start`.
    """
    if not _STAMP.search(text):
        return ()
    words: list[tuple[int, str]] = []
    for line in text.split("\n"):
        pieces = _STAMP.split(line)
        if len(pieces) == 1:
            continue
        at = start
        for place, piece in enumerate(pieces):
            if place % 2:
                stamp = milliseconds(piece)
                at = at if stamp is None else stamp
            elif plain(piece, "vtt"):
                words.append((at, plain(piece, "vtt")))
    return tuple(words)


def stamped_lines(text: str) -> list[bool]:
    """For each line of a payload that a viewer sees: does it hold inline stamps?"""
    return [bool(_STAMP.search(line)) for line in text.split("\n") if plain(line, "vtt")]


def _shown(text: str, format: str) -> str:
    if format == "vtt":
        return _without(_VTT_TAG, text)
    if format == "srt":
        return _without(_HTML_TAG, text)
    if format == "ass":
        text = "".join(part for part, drawing in _ass_parts(text) if not drawing)
        return text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", "\xa0")
    return text.replace("[br]", "\n") if format == "sbv" else text


def _without(tag: re.Pattern[str], text: str) -> str:
    return html.unescape(tag.sub("", _OVERRIDE.sub("", _BREAK.sub("\n", text))))


def _rewrite(cue: Cue, format: str, escape: Callable[[str], str]) -> str:
    """Text and kept tags in another format, without blank lines, which would end a cue."""
    pieces = (
        piece if is_tag else escape(_shown(piece, format)) for piece, is_tag in _split(cue.text, format)
    )
    text = "".join(pieces) if format in _MARKED else escape(cue.plain)
    return "\n".join(line for line in text.split("\n") if line.strip())


def _escape_srt(text: str) -> str:
    text = re.sub(r"&(?=#?\w+;)", "&amp;", text).replace("-->", "->")
    return _HTML_TAG.sub(lambda tag: f"&lt;{tag[0][1:]}", text)


def _split(text: str, format: str) -> list[tuple[str, bool]]:
    """Text and the bold, italic, underline tags in it (True), which are the same in WebVTT and SRT."""
    if format == "ass":
        text = "".join(part for part, drawing in _ass_parts(text, tags=True) if not drawing)
    found: list[tuple[str, bool]] = []
    at = 0
    for match in _KEPT.finditer(text):
        found += [(text[at : match.start()], False), (f"<{match[1]}{match[2].lower()}>", True)]
        at = match.end()
    return [*found, (text[at:], False)]


def _ass_parts(text: str, *, tags: bool = False) -> list[tuple[str, bool]]:
    r"""Text between override blocks, and whether it is a drawing; with `tags`, `{\i1}` becomes `<i>`."""
    parts: list[tuple[str, bool]] = []
    drawing = False
    for piece in _ASS_BLOCK.split(text):
        if not _ASS_BLOCK.fullmatch(piece):
            parts.append((piece, drawing))
            continue
        for mode in re.findall(r"\\p(\d+)", piece):
            drawing = mode != "0"
        if tags:
            for name, value in re.findall(r"\\([biu])(\d+)", piece):
                parts.append((f"<{name}>" if value != "0" else f"</{name}>", False))
    return parts

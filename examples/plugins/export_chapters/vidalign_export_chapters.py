"""A chapter list as video platforms read it from a description: 0:19 the purple crescent becomes full.

All of a plugin: a function that writes, a format that says what it is, and an entry point in pyproject.toml.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from vidalign.store.exports.formats import AlignmentFormat, Options
from vidalign.types import Alignment


def write(path: Path, named: Iterable[tuple[str, Alignment]], options: Options) -> None:
    """One line an aligned sentence, in order of its segment; the list must begin at 0:00."""
    chapters = [
        (segment[0], " ".join(sentence.text.split()))
        for _, alignment in named
        for sentence, aligned, segment in zip(
            alignment.sentences, alignment.aligned, alignment.segments.tolist(), strict=True
        )
        if aligned
    ]
    lines = [f"{clock(start)} {text}" for start, text in sorted(chapters)]
    if not lines or not lines[0].startswith("0:00 "):
        lines.insert(0, "0:00 Intro")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def clock(seconds: float) -> str:
    """h:mm:ss, or m:ss below an hour."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


FORMAT = AlignmentFormat(summary="chapter list for video platforms", suffix=".txt", write=write)

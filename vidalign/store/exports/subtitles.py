"""Subtitles for players: every cue of an alignment at the time it is seen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from vidalign.store.exports.formats import AlignmentFormat, Options
from vidalign.store.exports.values import one_text_each
from vidalign.text.sentences import retime_cues
from vidalign.text.subtitles import from_cues, write_subtitles
from vidalign.text.subtitles.formats import SUFFIXES
from vidalign.text.subtitles.markup import plain, word_stamps
from vidalign.types import Alignment, Cue, Transcript

_BLANK_LINES = re.compile(r"\n\s*\n")


def subtitle_format(name: str, title: str) -> AlignmentFormat:
    """The format that writes `name` (vtt or srt).

    An alignment file keeps a cue's id, times and text, not its settings nor the notes between the cues;
    `vidalign align -o NEW.vtt` writes those too.
    """
    return AlignmentFormat(
        summary=f"{title} subtitles, re-timed",
        suffix=f".{name}",
        write=one_text_each(_renderer(name)),
        takes=frozenset({"unaligned"}),
    )


def _renderer(name: str) -> Callable[[Alignment, Options], str]:
    def render(alignment: Alignment, options: Options) -> str:
        times = retime_cues(
            Transcript(alignment.cues, alignment.sentences),
            alignment.aligned.tolist(),
            alignment.segments.tolist(),
        )
        source = alignment.subtitles or ""
        markup = SUFFIXES.get(Path(source).suffix.lower(), "vtt")
        cues = [_as_read(cue, markup) for cue in alignment.cues]
        return write_subtitles(
            from_cues(cues, format=markup, path=source), times, name, unaligned=options.unaligned
        )

    return render


def _as_read(cue: Cue, markup: str) -> Cue:
    """The cue with what its text says of itself, and without what would end it in a subtitle file."""
    text = _BLANK_LINES.sub("\n", cue.text).strip("\n").replace("-->", "->")
    words = word_stamps(text, cue.start or 0) if markup == "vtt" else ()
    return replace(cue, text=text, plain=plain(text, markup), words=words)

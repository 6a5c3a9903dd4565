"""Audacity labels: start, end and text of every aligned sentence, seconds, one a line, tabs between."""

from __future__ import annotations

from vidalign.store.exports.formats import AlignmentFormat, Options
from vidalign.store.exports.values import one_line, one_text_each, shown_segments
from vidalign.types import Alignment


def render(alignment: Alignment, options: Options) -> str:
    """The label track, in order of start."""
    labels = sorted(
        (start, end, one_line(alignment.sentences[k].text)) for k, start, end in shown_segments(alignment)
    )
    return "".join(f"{start:.6f}\t{end:.6f}\t{text}\n" for start, end, text in labels)


FORMAT = AlignmentFormat(
    summary="Audacity label track of the aligned sentences", suffix=".txt", write=one_text_each(render)
)

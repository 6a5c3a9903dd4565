"""What several formats share: rows of sentences, text that fits a line, names without surprises."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vidalign.store.exports.formats import Options
from vidalign.store.jsonfile import value
from vidalign.types import Alignment

COLUMNS = (
    "video",
    "id",
    "start",
    "end",
    "aligned",
    "alignability",
    "confidence",
    "segment_start",
    "segment_end",
    "text",
)
"""The columns of every table of sentences; times in seconds."""

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def sentence_rows(name: str, alignment: Alignment) -> Iterator[dict[str, Any]]:
    """One row a sentence with the keys of `COLUMNS`; None for what is not known."""
    for k, sentence in enumerate(alignment.sentences):
        start, end = alignment.segments[k]
        yield {
            "video": name,
            "id": sentence.id,
            "start": value(sentence.start),
            "end": value(sentence.end),
            "aligned": bool(alignment.aligned[k]),
            "alignability": value(alignment.alignability[k]),
            "confidence": value(alignment.confidence[k]),
            "segment_start": value(start),
            "segment_end": value(end),
            "text": sentence.text,
        }


def shown_segments(alignment: Alignment) -> Iterator[tuple[int, float, float]]:
    """Sentence number, start and end in seconds of every aligned sentence."""
    for k, (start, end) in enumerate(alignment.segments.tolist()):
        if alignment.aligned[k] and np.isfinite([start, end]).all():
            yield k, start, end


def media_of(name: str, alignment: Alignment, options: Options) -> str:
    """Path or address of an alignment's video; `options.media` may end in / and then names its folder."""
    video = alignment.video or name
    if options.media is None:
        return video
    return options.media + video if options.media.endswith("/") else options.media


def printable(text: str) -> str:
    """The text with characters that XML and most tools refuse as U+FFFD; newlines and tabs stay."""
    return _UNPRINTABLE.sub("\ufffd", text)


def one_line(text: str) -> str:
    """The text on one line, without tabs, spaces at the ends or characters that tools refuse."""
    return printable(" ".join(text.split()))


def write_utf8(path: Path, text: str) -> None:
    """Write text, newlines as given; half characters become question marks."""
    path.write_bytes(text.encode("utf-8", "replace"))


Write = Callable[[Path, Iterable[tuple[str, Alignment]], Options], None]


def one_text_each(render: Callable[[Alignment, Options], str]) -> Write:
    """The `write` of a text format with one alignment a file."""

    def write(path: Path, named: Iterable[tuple[str, Alignment]], options: Options) -> None:
        write_utf8(path, "".join(render(alignment, options) for _, alignment in named))

    return write

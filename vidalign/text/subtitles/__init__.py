"""Subtitle files of every format become a `SubtitleFile`: cues exactly as read."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from vidalign.errors import SubtitleError
from vidalign.text.subtitles.model import Notes, Parsed, SubtitleFile, check_times
from vidalign.text.subtitles.write import Unaligned, write_subtitles
from vidalign.types import Cue

Rolling = Literal["auto", "keep", "collapse"]

MOST_BYTES = 4 << 30
"""More than the captions of any data set in one file."""

__all__ = [
    "Rolling",
    "SubtitleFile",
    "Unaligned",
    "from_cues",
    "parse_subtitles",
    "read_subtitles",
    "write_subtitles",
]


def read_subtitles(
    path: str | Path,
    *,
    encoding: str | None = None,
    rolling: Rolling = "auto",
    format: str | None = None,
    video: str | None = None,
) -> SubtitleFile:
    """Read a subtitle file of any known format, recognised by content, then by suffix.

    `encoding` is tried where the file is neither marked nor UTF-8. `rolling` says what sentences are made of:
    auto collapses captions that roll up where it finds them. `video` names the video in a file that holds
    captions of many. Raises SubtitleError.
    """
    from vidalign.text.subtitles.decoding import refuse_binary

    path = Path(path)
    try:
        status = path.stat()
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise SubtitleError("is not a plain file", path=str(path))
        if status.st_size > MOST_BYTES:
            raise SubtitleError(f"has more than {MOST_BYTES >> 20} MiB", path=str(path))
        with path.open("rb") as opened:
            head = opened.read(512)
            refuse_binary(head, Notes(path=str(path)))
            data = head + opened.read()
    except FileNotFoundError as error:
        raise SubtitleError("there is no such subtitle file", path=str(path), errno=error.errno) from None
    except OSError as error:
        raise SubtitleError(f"cannot be read: {error.strerror}", path=str(path), errno=error.errno) from None
    return parse_subtitles(
        data, format=format, path=str(path), encoding=encoding, rolling=rolling, video=video
    )


def parse_subtitles(
    data: bytes,
    *,
    format: str | None = None,
    path: str = "",
    encoding: str | None = None,
    rolling: Rolling = "auto",
    video: str | None = None,
) -> SubtitleFile:
    """As `read_subtitles`, from bytes; `path` serves messages and its suffix the recognition."""
    from vidalign.text.subtitles.decoding import decode
    from vidalign.text.subtitles.formats import get_format, recognise

    notes = Notes(path=path, video=video)
    text, taken = decode(data, notes, encoding)
    name = format or recognise(text, Path(path).suffix, notes)
    parsed = get_format(name).reader()(text, notes)
    if not parsed.cues:
        fault, line = notes.first()
        raise notes.error(
            f"no cues were found; {fault}" if fault else "no cues were found",
            line,
            hint="check that it is a subtitle file, or name its format",
        )
    return finish(parsed, name, taken, notes, rolling)


def from_cues(cues: Sequence[Cue], *, format: str = "vtt", path: str = "") -> SubtitleFile:
    """A file made of cues alone, whose texts carry the markup of `format` (alignment files read back)."""
    return SubtitleFile(format=format, encoding="utf-8", cues=tuple(cues), path=path)


def finish(parsed: Parsed, format: str, encoding: str, notes: Notes, rolling: Rolling) -> SubtitleFile:
    """What every way of reading ends with: times are checked, rolling captions recognised."""
    from vidalign.text.subtitles.rolling import is_rolling

    collapse = rolling == "collapse" or (rolling == "auto" and is_rolling(parsed.cues))
    check_times(parsed.cues, notes, overlaps=not collapse)
    if collapse and rolling == "auto":
        notes.add(
            "the captions roll up; repeated lines are collapsed for the sentences (--rolling keep: not)"
        )
    return SubtitleFile(
        format=format,
        encoding=encoding,
        cues=tuple(parsed.cues),
        blocks=tuple(parsed.blocks),
        warnings=notes.lines(),
        path=notes.path,
        rolling=collapse,
    )

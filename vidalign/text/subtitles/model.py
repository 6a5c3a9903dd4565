"""What a subtitle file becomes in memory: its cues, and the layout needed to write it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from vidalign.errors import SubtitleError
from vidalign.types import Cue


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of the source, newlines as LF; all blocks of a file joined are the file.

    `cue` is the index of the cue it holds, None for what lies between cues (header, NOTE, STYLE, unreadable
    entries). For a cue, `stamps` are the offsets in `text` where its start stamp begins and ends and its end
    stamp begins and ends, and `payload` is where its text begins.
    """

    text: str
    cue: int | None = None
    stamps: tuple[int, int, int, int] = (0, 0, 0, 0)
    payload: int = 0


@dataclass(frozen=True, slots=True)
class SubtitleFile:
    """A subtitle file as read: every cue in file order, and what lies between them.

    `blocks` is empty where the format cannot be written back. `rolling` says that the captions roll up as
    YouTube's automatic ones do and that sentences are to be made of the new lines only. `warnings` are lines
    for people.
    """

    format: str
    encoding: str
    cues: tuple[Cue, ...]
    blocks: tuple[Block, ...] = ()
    warnings: tuple[str, ...] = ()
    path: str = ""
    rolling: bool = False


@dataclass(slots=True)
class Notes:
    """Collects warnings while a file is read: one line a kind, with the first place and how many more.

    `video` is the name of the video whose captions are wanted, for formats that hold many.
    """

    path: str = ""
    video: str | None = None
    _kinds: dict[str, tuple[int, str, int]] = field(default_factory=dict)

    def add(self, kind: str, line: int = 0, detail: str = "") -> None:
        """Note that `kind` was met at `line` (0: nowhere in particular)."""
        first, about, count = self._kinds.get(kind, (line, detail, 0))
        self._kinds[kind] = (first, about, count + 1)

    def error(self, message: str, line: int = 0, hint: str = "") -> SubtitleError:
        """The error that refuses the file, to be raised by the caller."""
        return SubtitleError(message, path=self.path, line=line, hint=hint)

    def first(self) -> tuple[str, int]:
        """What was noted first, and its line; ("", 0) where nothing was."""
        return next(((kind, line) for kind, (line, _, _) in self._kinds.items()), ("", 0))

    def lines(self) -> tuple[str, ...]:
        """The warnings in the order in which they were first met."""
        return tuple(self._line(kind, *first) for kind, first in self._kinds.items())

    def _line(self, kind: str, line: int, detail: str, count: int) -> str:
        where = f"{self.path}:{line}: " if line else f"{self.path}: " if self.path else ""
        more = f" (and {count - 1} more like it)" if count > 1 else ""
        return where + kind + (f": {detail}" if detail else "") + more


@dataclass(frozen=True, slots=True)
class Parsed:
    """What the reader of one format returns."""

    cues: Sequence[Cue]
    blocks: Sequence[Block] = ()


def check_times(cues: Sequence[Cue], notes: Notes, *, overlaps: bool = True) -> None:
    """Warn of cues that end before they begin, overlap or stand out of order; nothing is changed."""
    before: Cue | None = None
    for cue in cues:
        if cue.start is None or cue.end is None:
            continue
        if cue.start < 0:
            notes.add("a cue begins before second 0", cue.line)
        if cue.end <= cue.start:
            notes.add("a cue does not end after it begins", cue.line)
        if before is not None and before.start is not None and before.end is not None:
            if cue.start < before.start:
                notes.add("cues are out of order", cue.line)
            elif overlaps and cue.start < before.end:
                notes.add("cues overlap", cue.line)
        before = cue

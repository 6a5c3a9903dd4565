"""Files of strangers are opened in a process that may die of it before this one opens them.

HDF5 and the libraries of video are large and written in C; a damaged file can crash them, hang them or make
them take all memory. So that this is one item's error, an HDF5 file is first read to its end, and a text
track of a video is read altogether, in a process with limits of memory and time.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidalign.batch.child.parent import Child
from vidalign.errors import ChildDiedError, ReadTimeoutError

if TYPE_CHECKING:
    from vidalign.text.subtitles import Rolling, SubtitleFile

MEMORY = 2 << 30
"""Bytes that opening a file may take."""
MOST_VALUES = MEMORY // 2
"""Bytes that one array of a file may have, which whoever reads the file afterwards loads whole."""
STALL = 60.0
"""Seconds in which something must be heard of it."""
LIMIT = 1800.0
"""Seconds that one file may take altogether."""

TARGET = "vidalign.batch.child.opening:answer"


class Foreign:
    """A process for files of strangers, started at the first one; for any thread, one file at a time."""

    def __init__(self, memory: int = MEMORY, stall: float = STALL, limit: float = LIMIT) -> None:
        self._memory, self._stall, self._limit = memory, stall, limit
        self._child: Child | None = None
        self._lock = threading.Lock()

    def check(self, path: Path) -> None:
        """Read an HDF5 file to its end, if it is one; what lies in others is left out.

        Raises StoreError, ChildDiedError and ReadTimeoutError, all naming the file.
        """
        from vidalign.store.hdf5 import SIGNATURE, read_start

        if read_start(path, len(SIGNATURE)) == SIGNATURE:
            self._ask({"what": "hdf5", "path": str(path), "most": MOST_VALUES}, path)

    def only_text_track(self, video: Path) -> int | None:
        """`vidalign.text.subtitles.container.only_text_track`, there."""
        found = self._ask({"what": "tracks", "path": str(video)}, video)
        return found if isinstance(found, int) else None

    def text_track(self, video: Path, number: int, rolling: Rolling = "auto") -> SubtitleFile:
        """`vidalign.text.subtitles.container.read_text_track`, there."""
        request = {"what": "track", "path": str(video), "number": number, "rolling": rolling}
        return _file_of(self._ask(request, video), video)

    def close(self) -> None:
        """End the process, if there is one."""
        with self._lock:
            if self._child is not None:
                self._child.close()

    def _ask(self, request: dict[str, Any], path: Path) -> Any:
        with self._lock, _naming(path):
            if self._child is None:
                self._child = Child(TARGET, memory=self._memory)
                weakref.finalize(self, self._child.close)
            told = deque(self._child.ask(request, stall=self._stall, limit=self._limit), maxlen=1)
            return told.pop() if told else None


_active: list[Foreign] = []


@contextmanager
def looking_first(by: Foreign | None = None) -> Iterator[None]:
    """Meanwhile HDF5 files and text tracks of videos are opened by a process of their own first.

    The process of a call that has not ended serves later ones too.
    """
    from vidalign.store.plain import looked_at_first

    foreign = by or (_active[-1] if _active else Foreign())
    _active.append(foreign)
    try:
        with looked_at_first(foreign.check):
            yield
    finally:
        _active.remove(foreign)
        if foreign not in _active:
            foreign.close()


def only_text_track(video: Path) -> int | None:
    """The number of a video's one text track, None without any; raises SubtitleError where it has several."""
    if _active:
        return _active[-1].only_text_track(video)
    from vidalign.text.subtitles import container

    return container.only_text_track(video)


def text_track(video: Path, number: int, rolling: Rolling = "auto") -> SubtitleFile:
    """A text track of a video; raises SubtitleError."""
    if _active:
        return _active[-1].text_track(video, number, rolling)
    from vidalign.text.subtitles import container

    return container.read_text_track(video, number, rolling=rolling)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """What kills the process does not know of which file it died."""
    try:
        yield
    except (ChildDiedError, ReadTimeoutError) as error:
        error.message = f"{path}: {error.message}"
        raise


def _file_of(told: Any, video: Path) -> SubtitleFile:
    """The subtitles that the process told of; it may have been taken over by the file."""
    from vidalign.text.subtitles import SubtitleFile
    from vidalign.types import Cue

    try:
        cues = [
            Cue(**{**cue, "words": tuple((int(at), str(word)) for at, word in cue["words"])})
            for cue in told["cues"]
        ]
        return SubtitleFile(
            format=str(told["format"]),
            encoding=str(told["encoding"]),
            cues=tuple(cues),
            warnings=tuple(str(line) for line in told["warnings"]),
            path=str(video),
            rolling=bool(told["rolling"]),
        )
    except (KeyError, TypeError, ValueError):
        raise ChildDiedError(f"{video}: the process that reads it told nonsense") from None

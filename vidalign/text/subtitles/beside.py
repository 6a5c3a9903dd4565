"""The subtitle file that belongs to a video: beside it, or under the same name in another folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePath, PurePosixPath

from vidalign.errors import SubtitleError
from vidalign.text.subtitles.formats import SUFFIXES
from vidalign.text.subtitles.stamps import LONGEST_NUMBER

_LANGUAGE = re.compile(r"\.[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
TIMED = frozenset(SUFFIXES) - {".txt", ".text", ".json", ".csv", ".xml"}
"""Suffixes of files that hold nothing but subtitles."""


def track_number(name: str) -> int | None:
    """The N of `track:N`, None for any other name. Raises SubtitleError where N is no number."""
    kind, colon, number = name.partition(":")
    if kind != "track" or not colon:
        return None
    if not number.isdecimal() or len(number) > LONGEST_NUMBER:
        raise SubtitleError(f"{name!r} names no track", hint="for example track:1")
    return int(number)


class Listing:
    """The subtitles among the names of one folder's files; errors call the folder `where`."""

    def __init__(self, names: Iterable[str], where: str, suffixes: Iterable[str] = tuple(SUFFIXES)) -> None:
        self._where = where
        self._by_stem: dict[str, list[str]] = {}
        self._tagged: dict[str, list[str]] = {}
        wanted = frozenset(suffixes)
        for name in sorted(names):
            path = PurePosixPath(name)
            if path.suffix.lower() in wanted:
                self._by_stem.setdefault(path.stem, []).append(name)
                stem, dot, language = path.stem.rpartition(".")
                if _LANGUAGE.fullmatch(dot + language):
                    self._tagged.setdefault(stem, []).append(name)

    def find(self, video: str) -> str | None:
        """The name of the file for a video of that name, None where there is none.

        `a.mp4` has `a.vtt` (or `a.mp4.vtt`), else `a.en.vtt` with one language suffix. Raises SubtitleError,
        naming them, where several files fit equally.
        """
        stem = PurePosixPath(video).stem
        exact = self._by_stem.get(stem, []) + (self._by_stem.get(video, []) if video != stem else [])
        found = exact or self._tagged.get(stem, [])
        if len(found) > 1:
            raise SubtitleError(
                f"several subtitle files fit {video}: {' and '.join(sorted(found))}",
                path="" if self._where == "." else self._where,
                hint="name the one to take, or list the pairs in a CSV",
            )
        return found[0] if found else None


class SubtitleFolder:
    """Finds subtitles by relative stem below one folder; each of its folders is listed once."""

    def __init__(self, folder: str | Path, suffixes: Iterable[str] = tuple(SUFFIXES)) -> None:
        self.folder = Path(folder)
        self._suffixes = frozenset(suffixes)
        self._listings: dict[Path, Listing] = {}
        if not self.folder.is_dir():
            raise SubtitleError("there is no such folder of subtitles", path=str(folder))

    def find(self, video: str | PurePath) -> Path | None:
        """The file for a video given by its path relative to the videos' folder, None where there is none.

        See `Listing.find`; raises SubtitleError as that does.
        """
        video = PurePath(video)
        folder = self.folder / video.parent
        name = self._listing(folder).find(video.name)
        return None if name is None else folder / name

    def _listing(self, folder: Path) -> Listing:
        if folder not in self._listings:
            names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
            self._listings[folder] = Listing(names, str(folder), self._suffixes)
        return self._listings[folder]


class SubtitlesBeside:
    """Finds the subtitle files that lie beside videos; each folder is listed once."""

    def __init__(self) -> None:
        self._folders: dict[Path, SubtitleFolder] = {}

    def find(self, video: str | Path) -> Path | None:
        """As `find_subtitles`."""
        video = Path(video)
        if not video.parent.is_dir():
            return None
        if video.parent not in self._folders:
            self._folders[video.parent] = SubtitleFolder(video.parent, TIMED)
        return self._folders[video.parent].find(video.name)


def find_subtitles(video: str | Path) -> Path | None:
    """The subtitle file that lies beside a video: `VIDEO.vtt`, `VIDEO.srt`, `VIDEO.en.vtt`, ...

    Raises SubtitleError where several fit.
    """
    return SubtitlesBeside().find(video)

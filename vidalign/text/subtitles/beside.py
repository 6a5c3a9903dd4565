"""The subtitle file that belongs to a video: beside it, or under the same name in another folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePath

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


class SubtitleFolder:
    """Finds subtitles by relative stem below one folder; each of its folders is listed once."""

    def __init__(self, folder: str | Path, suffixes: Iterable[str] = tuple(SUFFIXES)) -> None:
        self.folder = Path(folder)
        self._suffixes = frozenset(suffixes)
        self._listings: dict[Path, dict[str, list[Path]]] = {}
        if not self.folder.is_dir():
            raise SubtitleError("there is no such folder of subtitles", path=str(folder))

    def find(self, video: str | PurePath) -> Path | None:
        """The file for a video given by its path relative to the videos' folder, None where there is none.

        `sub/a.mp4` has `sub/a.vtt` (or `sub/a.mp4.vtt`), else `sub/a.en.vtt` with one language suffix. Raises
        SubtitleError, naming them, where several files fit equally.
        """
        video = PurePath(video)
        listing = self._listing(self.folder / video.parent)
        exact = listing.get(video.stem, []) + (listing.get(video.name, []) if video.suffix else [])
        tagged = [
            path
            for stem, paths in listing.items()
            if stem.startswith(video.stem) and _LANGUAGE.fullmatch(stem[len(video.stem) :])
            for path in paths
        ]
        found = exact or tagged
        if len(found) > 1:
            names = " and ".join(sorted(path.name for path in found))
            raise SubtitleError(
                f"several subtitle files fit {video.name}: {names}",
                path=str(found[0].parent),
                hint="name the one to take, or list the pairs in a CSV",
            )
        return found[0] if found else None

    def _listing(self, folder: Path) -> dict[str, list[Path]]:
        """Subtitle files of one folder by stem."""
        if folder not in self._listings:
            listing: dict[str, list[Path]] = {}
            for path in sorted(folder.iterdir()) if folder.is_dir() else []:
                if path.suffix.lower() in self._suffixes:
                    listing.setdefault(path.stem, []).append(path)
            self._listings[folder] = listing
        return self._listings[folder]


def find_subtitles(video: str | Path) -> Path | None:
    """The subtitle file that lies beside a video: `VIDEO.vtt`, `VIDEO.srt`, `VIDEO.en.vtt`, ...

    Raises SubtitleError where several fit.
    """
    video = Path(video)
    return SubtitleFolder(video.parent, TIMED).find(video.name) if video.parent.is_dir() else None

"""The subtitle files of folders by URL."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import urlunsplit

from vidalign.store.remote import WEB, RemotePlace, is_url, parts_of
from vidalign.text.subtitles.beside import Listing
from vidalign.text.subtitles.formats import SUFFIXES

GUESSED = (".vtt", ".srt")
"""Suffixes that are asked for, one by one, where a folder cannot be listed."""


class RemoteSubtitles:
    """Finds subtitles by relative stem below a folder; each of its folders is listed once.

    `at` gives the paths that stand for URLs here.
    """

    def __init__(
        self, folder: str, at: Callable[[str], Path], suffixes: Iterable[str] = tuple(SUFFIXES)
    ) -> None:
        self._folder, self._at = folder.rstrip("/"), at
        self._suffixes = tuple(suffixes)
        self._listings: dict[str, Listing] = {}

    def find(self, video: str) -> Path | None:
        """The file for a video given by its path relative to the videos' folder, or by its URL.

        None where there is none; raises SubtitleError as `Listing.find` does, StoreError.
        """
        whole = video if is_url(video) else f"{self._folder}/{video}"
        folder, _, name = whole.rpartition("/")
        if whole.partition(":")[0].lower() in WEB:
            found = _guessed(whole)
            return None if found is None else self._at(found)
        if folder not in self._listings:
            self._listings[folder] = Listing(RemotePlace(folder).names(), folder, self._suffixes)
        found = self._listings[folder].find(name)
        return None if found is None else self._at(f"{folder}/{found}")


def _guessed(video: str) -> str | None:
    parts = parts_of(video)
    for suffix in GUESSED:
        path = str(PurePosixPath(parts.path).with_suffix(suffix))
        url = urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))
        if RemotePlace(url).exists():
            return url
    return None

"""Files by URL: each has a path in a scratch area, where it lies while it is read."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from vidalign.batch.failures import State
from vidalign.batch.files import Files, Given, Subtitles
from vidalign.batch.remote.subtitles import RemoteSubtitles
from vidalign.batch.report import ItemResult
from vidalign.errors import UsageError, without_secrets
from vidalign.store.items import VIDEO_SUFFIXES, Item, find_items
from vidalign.store.remote import (
    WEB,
    RemotePlace,
    checked_name,
    is_url,
    parts_of,
    told_by_url,
)
from vidalign.store.scratch import Scratch
from vidalign.text.subtitles.beside import TIMED, SubtitlesBeside

Named = tuple[Path, str]


class RemoteInputs(Files):
    """The URLs among a run's files; nothing is fetched before `opened`.

    `timeout`: seconds that fetching one file may take; a server that is silent is given up anyway.
    """

    def __init__(self, scratch: Scratch, timeout: float | None = None) -> None:
        self._scratch, self._timeout = scratch, timeout
        self._urls: dict[Path, str] = {}
        self._beside, self._near = RemoteSubtitles("", self.at, TIMED), SubtitlesBeside()

    def add(self, path: Path, url: str) -> None:
        """Let `path`, which lies in the scratch area, stand for a URL."""
        self._urls[path] = url

    def named(self, sources: Sequence[str], listed: Iterable[str], root: str | None) -> Iterator[Named]:
        """Paths and item names of the videos by URL, in order.

        A name counts from the folder given, or is the file's; one of the list `listed`, and with `root` (a
        URL) every one, counts from the root, by default the host or bucket. Raises UsageError: outside the
        root, no video in a folder.
        """
        for url in sources:
            yield from self._of_source(url, root)
        for url in listed:
            yield self._called(url, _below(url, root or _host(url)))

    def opened(self, path: Path) -> AbstractContextManager[Path]:
        """See `Files.opened`: fetched, and dropped after."""
        url = self.url(path)
        if not url:
            return super().opened(path)
        return self._scratch.fetched(RemotePlace(url), path, self._timeout)

    def stopped(self) -> AbstractContextManager[None]:
        """Meanwhile nothing is fetched."""
        return self._scratch.stopped()

    def url(self, path: Path) -> str:
        """See `Files.url`."""
        return self._urls.get(path, "")

    def state(self, path: Path) -> State:
        """See `Files.state`: the size alone counts."""
        url = self.url(path)
        return RemotePlace(url).state(self._timeout) if url else super().state(path)

    def told(self, text: str, paths: Iterable[Path] | None = None) -> str:
        """See `Files.told`; None: all paths that stand for a URL. No password or signature is told."""
        for path in self._urls if paths is None else paths:
            text = told_by_url(text, path, self.url(path)) if self.url(path) else text
        return without_secrets(text)

    def retold(self, result: ItemResult, more: Iterable[Path] = ()) -> ItemResult:
        """The same result with URLs in place of the paths of its source and of `more` files."""
        paths = (Path(result.source), *more)
        if result.error is not None:
            result.error.message = self.told(result.error.message, paths)
        warnings = tuple(self.told(line, paths) for line in result.warnings)
        return replace(result, source=self.told(result.source, paths[:1]), warnings=warnings)

    def at(self, given: Given, above: Given = "") -> Path:
        """See `Files.at`."""
        url = _joined(given, above)
        if not url:
            return super().at(given, above)
        folder = self._scratch.folder / "files" / hashlib.sha256(url.encode()).hexdigest()[:16]
        path = folder / _file_name(url)
        self._urls[path] = url
        return path

    def single(self, given: Given) -> Path:
        """See `Files.single`."""
        url = _joined(given)
        if url and parts_of(url).path.endswith("/"):
            raise UsageError(_no_folder(url), hint="name the videos in a --pairs CSV")
        return self.at(given)

    def above(self, given: Given) -> Given:
        """See `Files.above`."""
        return _parent(str(given)) if is_url(str(given)) else super().above(given)

    def is_folder(self, given: Given) -> bool:
        """See `Files.is_folder`."""
        url = _joined(given)
        return RemotePlace(url).is_folder() if url else super().is_folder(given)

    def lacks(self, path: Path) -> bool:
        """See `Files.lacks`; of a URL it is known when it is fetched."""
        return not self.url(path) and super().lacks(path)

    def video(self, given: Given, above: Given, root: Given | None) -> Named:
        """See `Files.video`; a name counts from the host or bucket unless `root` is a URL too."""
        url = _joined(given, above)
        if not url:
            return super().video(given, above, _path_of(root))
        return self._called(url, _below(url, _joined(root or "") or _host(url)))

    def items(self, folder: Given, output: Path, suffix: str, root: Given | None) -> list[Item]:
        """See `Files.items`."""
        url = _joined(folder)
        if not url:
            return super().items(folder, output, suffix, _path_of(root))
        return find_items([], output, suffix=suffix, more=self.named([url], [], _joined(root or "") or None))

    def relative(self, video: Path, folder: Given) -> str:
        """See `Files.relative`."""
        url = self.url(video)
        return url.removeprefix(str(folder).rstrip("/") + "/") if url else super().relative(video, folder)

    def subtitles(self, folder: Given) -> Subtitles:
        """See `Files.subtitles`."""
        url = _joined(folder)
        return RemoteSubtitles(url, self.at) if url else super().subtitles(folder)

    def beside(self, video: Path) -> Path | None:
        """See `Files.beside`."""
        url = self.url(video)
        return self._beside.find(url) if url else self._near.find(video)

    def _of_source(self, url: str, root: str | None) -> Iterator[Named]:
        place = RemotePlace(url)
        if not place.is_folder():
            if parts_of(url).path.endswith("/"):
                raise UsageError(_no_folder(url), hint="name the videos, or a list of them on stdin")
            yield self._called(url, _below(url, root or _parent(url)))
            return
        videos = place.videos()
        if not videos:
            raise UsageError(f"no video in {url}", hint=f"known suffixes: {' '.join(VIDEO_SUFFIXES)}")
        for video in videos:
            yield self._called(video.url, _below(video.url, root) if root else video.name)

    def _called(self, url: str, name: str) -> Named:
        path = self._scratch.folder / "videos" / name
        other = self._urls.setdefault(path, url)
        if other != url:
            raise UsageError(
                f"{other} and {url} would both be written as {name}",
                hint="give --root, a URL that holds both",
            )
        return path, name


def split_urls(sources: Iterable[str]) -> tuple[list[str], list[str]]:
    """Paths, and URLs, in order."""
    given = list(sources)
    return [text for text in given if not is_url(text)], [text for text in given if is_url(text)]


def _joined(given: Given, above: Given = "") -> str:
    """The URL of what is given, counted from the folder `above`; nothing where that is a path."""
    if is_url(str(given)):
        return str(given)
    if not is_url(str(above)) or not str(given):
        return ""
    host = _host(str(above))
    path = str(above).removeprefix(host).strip("/")
    inside = posixpath.normpath(f"{path}/{given}".lstrip("/"))
    return f"{host}/{checked_name(str(given) if str(given).startswith('/') else inside)}"


def _path_of(root: Given | None) -> Given | None:
    """The root as far as it is one of paths."""
    return None if root is None or is_url(str(root)) else root


def _below(url: str, root: str) -> str:
    """The item name of a URL counted from `root`, without query and escapes."""
    above = root.rstrip("/") + "/"
    if not url.startswith(above):
        raise UsageError(f"{url} lies outside {root}", hint="give --root, a URL that holds all of them")
    path = url.removeprefix(above)
    is_web = url.partition(":")[0].lower() in WEB
    return checked_name(unquote(parts_of(path).path) if is_web else path)


def _file_name(url: str) -> str:
    """The name of a file alone; raises UsageError where there is none."""
    return PurePosixPath(_below(url, _parent(url))).name


def _parent(url: str) -> str:
    """The URL of the folder of a file."""
    if url.partition(":")[0].lower() in WEB:
        url = _host(url) + parts_of(url).path
    return url.rpartition("/")[0]


def _host(url: str) -> str:
    parts = parts_of(url)
    return f"{parts.scheme}://{parts.netloc}"


def _no_folder(url: str) -> str:
    is_web = url.partition(":")[0].lower() in WEB
    return f"{url}: folders of web servers cannot be listed" if is_web else f"there is no folder {url}"

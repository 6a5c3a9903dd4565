"""Videos by URL: each has a path in a scratch area, where it lies while it is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vidalign.batch.report import ItemResult
from vidalign.errors import UsageError
from vidalign.store.items import VIDEO_SUFFIXES
from vidalign.store.remote import WEB, RemotePlace, checked_name, is_url, told_by_url
from vidalign.store.scratch import Scratch

Named = tuple[Path, str]


class RemoteInputs:
    """The URLs among a run's sources; nothing is fetched before `opened`."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._urls: dict[Path, str] = {}

    def named(self, sources: Sequence[str], listed: Iterable[str], root: str | None) -> Iterator[Named]:
        """Paths and item names of the videos by URL, in order.

        A name counts from the folder given, or is the file's; one of the list `listed`, and with `root` (a
        URL) every one, counts from the root, by default the host or bucket. Raises UsageError: outside the
        root, no video in a folder.
        """
        for url in sources:
            yield from self._of_source(url, root)
        for url in listed:
            yield self._at(url, _below(url, root or _host(url)))

    def opened(self, path: Path) -> AbstractContextManager[Path]:
        """The video of a path while it is read: fetched, and dropped after; one of this machine as it is."""
        url = self.url(path)
        return self._scratch.fetched(RemotePlace(url), path) if url else nullcontext(path)

    def stopped(self) -> AbstractContextManager[None]:
        """Meanwhile nothing is fetched."""
        return self._scratch.stopped()

    def url(self, path: Path) -> str:
        """Where a video is fetched from, nothing for one of this machine."""
        return self._urls.get(path, "")

    def told(self, result: ItemResult) -> ItemResult:
        """The same result, with the URL in place of the path."""
        path = Path(result.source)
        url = self.url(path)
        if not url:
            return result
        if result.error is not None:
            result.error.message = told_by_url(result.error.message, path, url)
        warnings = tuple(told_by_url(line, path, url) for line in result.warnings)
        return replace(result, source=url, warnings=warnings)

    def _of_source(self, url: str, root: str | None) -> Iterator[Named]:
        place = RemotePlace(url)
        if not place.is_folder():
            if urlsplit(url).path.endswith("/"):
                raise UsageError(_no_folder(url), hint="name the videos, or a list of them on stdin")
            yield self._at(url, _below(url, root or url.rpartition("/")[0]))
            return
        videos = place.videos()
        if not videos:
            raise UsageError(f"no video in {url}", hint=f"known suffixes: {' '.join(VIDEO_SUFFIXES)}")
        for video in videos:
            yield self._at(video.url, _below(video.url, root) if root else video.name)

    def _at(self, url: str, name: str) -> Named:
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


def _below(url: str, root: str) -> str:
    """The item name of a URL counted from `root`, without query and escapes."""
    above = root.rstrip("/") + "/"
    if not url.startswith(above):
        raise UsageError(f"{url} lies outside {root}", hint="give --root, a URL that holds all of them")
    path = url.removeprefix(above)
    is_web = url.partition(":")[0].lower() in WEB
    return checked_name(unquote(urlsplit(path).path) if is_web else path)


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _no_folder(url: str) -> str:
    is_web = url.partition(":")[0].lower() in WEB
    return f"{url}: folders of web servers cannot be listed" if is_web else f"there is no folder {url}"

"""Files by URL (s3://, gs://, https://, ...), through fsspec."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from vidalign import threads
from vidalign.errors import MissingExtraError, ReadTimeoutError, StoreError, UsageError, brief
from vidalign.store.items import VIDEO_SUFFIXES

_URL = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)

_GONE = (404, 410)
_REFUSED = (401, 403)
"""What web servers answer."""

WEB = ("http", "https")
"""Protocols of single files: there is no listing of a folder, and nothing can be written."""

CHUNK = 4 * 2**20

SILENT_SECONDS = 120.0
"""A server that has not answered a question, or brought a chunk, after so long is given up."""
LOOK_SECONDS = 0.1
"""How often to look whether what is asked for is still wanted."""

_LONGEST_REASON = 120

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file by URL; `name` counts from the folder listed, `/` between; `size` in bytes, if known."""

    url: str
    name: str
    size: int | None


def is_url(text: str) -> bool:
    """Whether `text` names a place by URL; a letter before the colon is a drive."""
    return _URL.match(text) is not None


def told_by_url(text: str, path: Path, url: str) -> str:
    """The text with the URL, said once, in place of the path where its file lay."""
    return text.replace(f"{path}: {url}", url).replace(str(path), url)


def parts_of(url: str) -> SplitResult:
    """As `urlsplit`; raises UsageError for what cannot be a URL."""
    try:
        return urlsplit(url)
    except ValueError as error:
        raise UsageError(f"{url}: {error}", hint="check the address") from None


def _always() -> None:
    """It is still wanted."""


class RemotePlace:
    """A file or a folder by URL. Raises UsageError for a protocol that is unknown, or cannot be used here."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._system, self._path = _file_system(self.url)

    def size(self, limit: float | None = None, check: Callable[[], None] = _always) -> int | None:
        """Bytes of the file, None where the server does not say; raises StoreError where it is not there.

        Here and below `limit` is the seconds that an answer may take, at most SILENT_SECONDS; raises
        ReadTimeoutError after it. `check` is called meanwhile, and may raise.
        """
        try:
            with telling(self.url):
                found = answered(lambda: self._system.info(self._path), limit, check).get("size")
        except StoreError as error:
            if error.errno != errno.ETIMEDOUT or limit is None or limit > SILENT_SECONDS:
                raise
            raise fetching_took(self.url, limit) from None
        return None if found is None else int(found)

    def state(self, limit: float | None = None) -> tuple[int, int] | None:
        """Size and 0, in place of what a file system says of a file; None where it cannot be looked at."""
        try:
            size = self.size(limit)
        except (StoreError, ReadTimeoutError):
            return None
        return None if size is None else (size, 0)

    def is_folder(self) -> bool:
        """Whether anything lies below it."""
        if self.url.partition(":")[0].lower() in WEB:
            return False
        with telling(self.url):
            return bool(answered(lambda: self._system.isdir(self._path)))

    def exists(self) -> bool:
        """Whether there is such a file or folder."""
        with telling(self.url):
            return bool(answered(lambda: self._system.exists(self._path)))

    def names(self) -> list[str]:
        """The names of the files right in this folder; none where it is not there, or cannot be listed."""
        if self.url.partition(":")[0].lower() in WEB or not self.exists():
            return []
        with telling(self.url):
            self._system.invalidate_cache()
            found = answered(lambda: self._system.ls(self._path, detail=True))
        return [PurePosixPath(entry["name"]).name for entry in found if entry.get("type") == "file"]

    def videos(self) -> list[RemoteFile]:
        """The videos below it, in the order of their names, hidden ones left out.

        Raises UsageError for a name that leads out of the folder.
        """
        return [
            file
            for file in self.files()
            if PurePosixPath(file.name).suffix.lower() in VIDEO_SUFFIXES
            and not any(part.startswith(".") for part in file.name.split("/"))
        ]

    def files(self) -> list[RemoteFile]:
        """All files below it, in the order of their names; none where it is not there."""
        with telling(self.url):
            self._system.invalidate_cache()
            found: dict[str, dict[str, Any]] = (
                self._system.find(self._path, detail=True) if self._system.exists(self._path) else {}
            )
        above = self._path.rstrip("/") + "/"
        named = sorted((path.removeprefix(above), entry.get("size")) for path, entry in found.items())
        return [RemoteFile(f"{self.url}/{checked_name(name)}", name, size) for name, size in named]

    def below(self, name: str) -> RemotePlace:
        """The place of a name counted from here."""
        return RemotePlace(f"{self.url}/{checked_name(name)}")

    def read(self) -> bytes | None:
        """The whole file, None where there is none."""
        with telling(self.url):
            self._system.invalidate_cache()
            if not self._system.exists(self._path):
                return None
            return bytes(self._system.cat_file(self._path))

    def write(self, content: bytes) -> None:
        """Replace the file, whole or not at all."""
        with telling(self.url):
            self._system.pipe_file(self._path, content)

    def create(self, content: bytes) -> bool:
        """Write the file unless there is one; whether it was written.

        Between the look and the writing another machine may come first where the store has no such request.
        """
        with telling(self.url):
            self._system.invalidate_cache()
            if self._system.exists(self._path):
                return False
            try:
                self._system.pipe_file(self._path, content, mode="create")
            except FileExistsError:
                return False
            return True

    def upload(self, local: str) -> None:
        """Put a local file here, whole or not at all."""
        with telling(self.url):
            self._system.put_file(local, self._path)

    def remove(self) -> None:
        """Delete the file, if it is there."""
        with telling(self.url):
            self._system.invalidate_cache()
            if self._system.exists(self._path):
                self._system.rm_file(self._path)

    def chunks(self) -> Iterator[bytes]:
        """The file's bytes in order, about 4 MiB at a time."""
        with telling(self.url), self._system.open(self._path, "rb", block_size=CHUNK) as file:
            while block := file.read(CHUNK):
                yield bytes(block)


def fetching_took(url: str, limit: float) -> ReadTimeoutError:
    """That a file is given up."""
    return ReadTimeoutError(f"{url}: fetching it took more than {limit:g} s")


def answered(
    work: Callable[[], Answer], limit: float | None = None, check: Callable[[], None] = _always
) -> Answer:
    """`work()`, in a thread of its own, which is left to itself where it takes too long, or `check` raises.

    Raises TimeoutError in the first case.
    """
    seconds = SILENT_SECONDS if limit is None else min(limit, SILENT_SECONDS)
    came: SimpleQueue[Answer | BaseException] = SimpleQueue()
    threads.start("asks", lambda: came.put(work()), came.put)
    until = monotonic() + seconds
    while (left := until - monotonic()) > 0:
        check()
        with suppress(Empty):
            answer = came.get(timeout=min(left, LOOK_SECONDS))
            break
    else:
        raise TimeoutError(errno.ETIMEDOUT, f"no answer in {seconds:g} s")
    if isinstance(answer, BaseException):
        raise answer
    return answer


@contextmanager
def telling(url: str) -> Iterator[None]:
    """Turns what fails on the way to `url` into one StoreError."""
    try:
        yield
    except _failures() as error:
        raise _told(url, _reason(error)) from None


def _reason(error: Exception) -> Exception:
    """What a file that is not found hides: fsspec says so of all web servers that do not give one."""
    cause = error.__cause__
    hidden = isinstance(error, FileNotFoundError) and isinstance(cause, _failures())
    if not hidden or not isinstance(cause, Exception) or getattr(cause, "status", None) in _GONE:
        return error
    return PermissionError() if getattr(cause, "status", None) in _REFUSED else cause


def _told(url: str, error: Exception) -> StoreError:
    if isinstance(error, FileNotFoundError):
        return StoreError(f"{url} does not exist", hint="check the address", errno=errno.ENOENT)
    if isinstance(error, PermissionError):
        return StoreError(
            f"{url} must not be read or written",
            hint="check the credentials of this machine",
            errno=errno.EACCES,
        )
    said = re.sub(rf"{re.escape(url)}(?![\w/?.-])", "it", _said(error))
    reason = type(error).__name__ if said in ("", "it") else brief(said, _LONGEST_REASON)
    number = None if isinstance(error, ValueError) else getattr(error, "errno", None) or errno.EIO
    hint = "check the address, the connection and the credentials"
    return StoreError(f"{url}: {reason}", hint=hint, errno=number)


def _said(error: Exception) -> str:
    """What a failure says; what a web server does without its headers and the address."""
    status, told = getattr(error, "status", None), getattr(error, "message", None)
    if isinstance(status, int) and isinstance(told, str):
        return f"the server answers {status} {told}".rstrip()
    return (isinstance(error, TimeoutError) and error.strerror) or str(error)


def _failures() -> tuple[type[Exception], ...]:
    """OSError, what a wrong address gives, and what the libraries below fsspec raise that is neither, as far
    as they are loaded."""
    found: list[type[Exception]] = [OSError, ValueError]
    for module, name in (("botocore.exceptions", "BotoCoreError"), ("aiohttp", "ClientError")):
        if module in sys.modules:
            found.append(getattr(sys.modules[module], name))
    return tuple(found)


def _file_system(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError:
        raise MissingExtraError(
            "inputs and outputs by URL need the package fsspec", hint="pip install 'vidalign[remote]'"
        ) from None
    protocol = url.partition("://")[0].lower()
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        hint = "pip install 'vidalign[remote]'" if protocol in ("s3", "http", "https") else ""
        raise MissingExtraError(
            f"{protocol}:// needs another package: {brief(str(error))}", hint=hint
        ) from None
    except ValueError as error:
        raise UsageError(f"{url}: {brief(str(error))}", hint="use s3://, gs:// or https://") from None
    return system, str(path)


def checked_name(name: str) -> str:
    """The name as it is; raises UsageError where it leads out of the folder that it counts from."""
    if not name or name.startswith("/") or ".." in name.split("/") or "\\" in name or "\0" in name:
        raise UsageError(f"the name {name!r} leads out of its folder", hint="rename it at its source")
    return name

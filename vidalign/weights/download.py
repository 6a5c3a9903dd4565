"""One file from the first of several sources that works: resumed, retried, hashed while it streams."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener, url2pathname

from vidalign._version import __version__
from vidalign.errors import ModelError, brief, debugging, without_secrets
from vidalign.outside import load_json

Progress = Callable[[str, int, int | None], None]
"""Called with the file's name, bytes so far, and bytes in all where known."""

_CHUNK = 1 << 20
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT = 30.0
_LONGEST_ADDRESS = 80


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A complete file and where it came from."""

    path: Path
    size: int
    sha256: str
    source: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be downloaded: size in bytes and SHA-256, or how it begins, where known beforehand."""

    destination: Path
    size: int | None = None
    sha256: str | None = None
    sha256_prefix: str = ""


class _SourceError(Exception):
    """This source will not give the file."""


class _PassingError(Exception):
    """This source may give the file later."""


def offline() -> bool:
    """Whether `VIDALIGN_OFFLINE` forbids all downloads."""
    return os.environ.get("VIDALIGN_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")


def download(
    sources: Sequence[str],
    wanted: Wanted,
    *,
    progress: Progress | None = None,
    attempts: int = 3,
    wait: Callable[[float], None] = time.sleep,
    timeout: float = 30.0,
    hint: str = "",
) -> Downloaded:
    """Fetch a file from http(s) or file URLs, tried in order, into `wanted.destination`.

    An interrupted transfer leaves `NAME.part` beside it and is resumed where the server can. A source is
    given up after `attempts` passing errors in a row without a byte of progress. Raises ModelError naming
    the first source, and the hosts of the others, with their errors; `hint` tells what to do then.
    """
    failures: list[tuple[str, str]] = []
    for source in sources:
        try:
            wanted.destination.parent.mkdir(parents=True, exist_ok=True)
            return _from_source(source, wanted, progress, attempts, wait, timeout)
        except _SourceError as error:
            failures.append((source, str(error)))
        except OSError as error:
            raise ModelError(
                f"{wanted.destination.parent}: cannot be written: {error.strerror or error}",
                hint="set VIDALIGN_CACHE to a folder of your own",
            ) from None
    raise ModelError(f"{wanted.destination.name} could not be downloaded: {_told(failures)}", hint=hint)


def _told(failures: Sequence[tuple[str, str]]) -> str:
    """The sources with their errors, in brief: the host of a long address, and of all but the first."""
    if not failures:
        return "it has no source"
    if debugging():
        return without_secrets("; ".join(f"{source}: {error}" for source, error in failures))
    (source, error), *others = failures
    address = without_secrets(source)
    first = address if len(address) <= _LONGEST_ADDRESS else _host(source)
    more = (f"{_host(source)}: {brief(error, 80)}" for source, error in others)
    return "; ".join((f"{first}: {brief(error, 100)}", *more))


def _host(source: str) -> str:
    return urlsplit(source).hostname or Path(source).name


def _from_source(
    source: str,
    wanted: Wanted,
    progress: Progress | None,
    attempts: int,
    wait: Callable[[float], None],
    timeout: float,
) -> Downloaded:
    part = _Part(wanted.destination)
    failures = 0
    while True:
        before = part.size
        try:
            digest = _transfer(source, part, wanted, progress, timeout)
            return _finish(source, part, wanted, digest)
        except _PassingError as error:
            failures = 1 if part.size > before else failures + 1
            if failures >= attempts:
                raise _SourceError(f"{error} (tried {attempts} times)") from None
            wait(min(2.0 ** (failures - 1), _LONGEST_WAIT))


class _Part:
    """The unfinished file and the record of what it is a part of."""

    def __init__(self, destination: Path) -> None:
        self.path = destination.with_name(destination.name + ".part")
        self.record = destination.with_name(destination.name + ".part.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def validator(self, source: str) -> str:
        """ETag or date under which this source began the part; empty: it cannot be resumed."""
        try:
            record = load_json(self.record.read_text("utf-8"))
        except (OSError, ValueError):
            return ""
        known = isinstance(record, dict) and record.get("source") == source and self.size > 0
        return str(record.get("validator", "")) if known else ""

    def begin(self, source: str, validator: str) -> None:
        self.discard()
        self.record.write_text(json.dumps({"source": source, "validator": validator}), "utf-8")

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)


def _transfer(source: str, part: _Part, wanted: Wanted, progress: Progress | None, timeout: float) -> str:
    """Append what is missing to the part; gives the SHA-256 of the whole."""
    validator = part.validator(source)
    with _opened(source, part, validator, timeout) as (stream, headers, resumed):
        start = part.size if resumed else 0
        length = headers.get("Content-Length")
        total = start + int(length) if length and length.isdigit() else None
        if total is not None and wanted.size is not None and total != wanted.size:
            raise _SourceError(f"offers {total} bytes instead of {wanted.size}")
        if not resumed:
            part.begin(source, _validator(headers))
        digest = hashlib.sha256()
        if resumed:
            with part.path.open("rb") as begun:
                while chunk := begun.read(_CHUNK):
                    digest.update(chunk)
        with part.path.open("ab") as output:
            done = start
            while chunk := _read(stream):
                output.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(wanted.destination.name, done, total)
            output.flush()
            os.fsync(output.fileno())
    if total is not None and done != total:
        raise _PassingError(f"the connection broke after {done} of {total} bytes")
    if part.size != done:
        part.discard()
        raise _PassingError("another process is downloading the same file")
    return digest.hexdigest()


def _finish(source: str, part: _Part, wanted: Wanted, sha256: str) -> Downloaded:
    size = part.size
    if wanted.size is not None and size != wanted.size:
        part.discard()
        raise _SourceError(f"gave {size} bytes instead of {wanted.size}")
    if wanted.sha256 is not None and sha256 != wanted.sha256:
        part.discard()
        raise _SourceError(f"gave another file: sha256 {sha256} instead of {wanted.sha256}")
    if not sha256.startswith(wanted.sha256_prefix):
        part.discard()
        raise _SourceError(f"gave another file: sha256 {sha256} instead of {wanted.sha256_prefix}...")
    part.path.replace(wanted.destination)
    part.discard()
    return Downloaded(wanted.destination, size, sha256, source)


@contextmanager
def _opened(
    source: str, part: _Part, validator: str, timeout: float
) -> Iterator[tuple[IO[bytes], Message, bool]]:
    """The stream of a source, its headers, and whether it continues the part."""
    parts = urlsplit(source)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        stream, told = _open_file(Path(url2pathname(parts.path)))
        with stream:
            yield stream, told, False
        return
    if parts.scheme not in ("http", "https"):
        raise _SourceError("only http, https and file addresses are opened")
    headers = {"User-Agent": f"vidalign/{__version__}", "Accept-Encoding": "identity"}
    if validator:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": validator}
    with _answer(Request(source, headers=headers), part, timeout) as response:
        if response.headers.get_content_type() == "text/html":
            raise _SourceError("a web page instead of the file")
        yield response, response.headers, response.status == 206 and _continues(response.headers, part)


def _answer(request: Request, part: _Part, timeout: float) -> Any:
    try:
        return build_opener(_Redirects).open(request, timeout=timeout)
    except HTTPError as error:
        error.close()
        if error.code == 416:
            part.discard()
        kind = _PassingError if error.code in _PASSING or error.code == 416 else _SourceError
        raise kind(f"{error.code} {error.reason}") from None
    except (URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise _PassingError(str(reason) or type(error).__name__) from None


def _open_file(path: Path) -> tuple[IO[bytes], Message]:
    headers = Message()
    try:
        headers["Content-Length"] = str(path.stat().st_size)
        return path.open("rb"), headers
    except OSError as error:
        raise _SourceError(error.strerror or str(error)) from None


def _read(stream: IO[bytes]) -> bytes:
    try:
        return stream.read(_CHUNK)
    except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
        raise _PassingError(f"the connection broke: {error or type(error).__name__}") from None


def _validator(headers: Message) -> str:
    """What `If-Range` may name: a strong ETag, else the date of the last change."""
    etag = str(headers.get("ETag", ""))
    return etag if etag and not etag.startswith("W/") else str(headers.get("Last-Modified", ""))


def _continues(headers: Message, part: _Part) -> bool:
    if str(headers.get("Content-Range", "")).startswith(f"bytes {part.size}-"):
        return True
    part.discard()
    raise _PassingError("the server continued at the wrong place")


class _Redirects(HTTPRedirectHandler):
    """Follows redirects to web addresses only, and never from https back to http."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme != "https"):
            raise _SourceError(f"redirects to an unsafe address: {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)

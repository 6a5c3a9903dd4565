"""A bounded place on this machine for files that are fetched, used and dropped."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from vidalign import threads
from vidalign.errors import StoreError, UsageError
from vidalign.store import remote
from vidalign.store.atomic import is_dead, own_name
from vidalign.store.remote import RemotePlace

if sys.platform != "win32":
    import fcntl

SCRATCH_BYTES = 20 * 2**30
"""Bytes of fetched files that lie there at one time."""


_NAME = re.compile(r"vidalign-(?P<machine>[0-9a-f]{8})-(?P<process>\d{1,10})-\w+", re.ASCII)


class Scratch:
    """A temporary folder below `above` (default: the system's) that never holds more than `limit` bytes.

    Safe to use from several threads; close it, or use it as a context, to delete it. Of a process that is
    killed it stays, until one of the same machine makes another there.
    """

    def __init__(self, above: Path | None = None, limit: int = SCRATCH_BYTES) -> None:
        self._above = above
        self.limit = limit
        self._held = 0
        self._stopped = False
        self._lock: int | None = None
        self._change = threading.Condition()

    @cached_property
    def folder(self) -> Path:
        """The folder, made when it is first asked for; raises UsageError where it cannot be."""
        try:
            above = self._above or Path(tempfile.gettempdir())
            _remove_abandoned(above)
            made = Path(tempfile.mkdtemp(prefix=f"vidalign-{own_name()}-", dir=above))
        except OSError as error:
            place = self._above or "the folder for temporary files"
            raise UsageError(
                f"no scratch folder can be made in {place}: {error.strerror}",
                hint="name another folder with --scratch",
            ) from None
        self._lock = _locked(made)
        return made

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete the folder and all in it."""
        if "folder" in self.__dict__:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Meanwhile nothing is fetched: what is under way, or waits for room, ends with StoreError."""
        with self._change:
            self._stopped = True
            self._change.notify_all()
        yield
        self._stopped = False

    @contextmanager
    def fetched(self, place: RemotePlace, local: Path, timeout: float | None = None) -> Iterator[Path]:
        """The file of `place` as `local`, which lies in the folder; deleted at the end.

        Waits until there is room. Raises StoreError where it is larger than the limit, comes incomplete, or
        the server is silent; ReadTimeoutError where it takes more than `timeout` seconds, without the wait.
        """
        size = place.size(timeout, lambda: self._check_stopped(place))
        with self._room(place, size):
            try:
                self._fetch(place, local, size, timeout)
                yield local
            finally:
                with contextlib.suppress(OSError):
                    local.unlink(missing_ok=True)

    def _fetch(self, place: RemotePlace, local: Path, size: int | None, timeout: float | None) -> None:
        most = self.limit if size is None else size
        try:
            local.parent.mkdir(parents=True, exist_ok=True)
            with local.open("wb") as file:
                transfer = _Transfer(place, file, most, lambda: self._check_stopped(place))
                came = self._copied(transfer, timeout)
        except OSError as error:
            raise StoreError(
                f"{place.url} cannot be written to {self.folder}: {error.strerror or error}",
                hint="name a folder with room with --scratch",
                errno=error.errno,
            ) from None
        if size is None and came > most:
            raise self._too_large(place)
        if size is not None and came != size:
            raise StoreError(
                f"{place.url}: {came} bytes came of {size}",
                hint="it changed on the way; try again",
                errno=errno.ESTALE,
            )

    def _copied(self, transfer: _Transfer, timeout: float | None) -> int:
        """The bytes that came, once all have; what takes too long is left to itself."""
        place, began = transfer.place, monotonic()
        transfer.start()
        try:
            while not transfer.ended.wait(remote.LOOK_SECONDS):
                self._check_stopped(place)
                now = monotonic()
                if timeout is not None and now - began >= timeout:
                    raise remote.fetching_took(place.url, timeout)
                if now - max(began, transfer.heard) >= remote.SILENT_SECONDS:
                    raise StoreError(
                        f"{place.url}: the server was silent for {remote.SILENT_SECONDS:g} s",
                        hint="check the connection, and try again later",
                        errno=errno.ETIMEDOUT,
                    )
            return transfer.result()
        finally:
            transfer.leave()

    @contextmanager
    def _room(self, place: RemotePlace, size: int | None) -> Iterator[None]:
        """Holds `size` bytes of the limit, all of it where the size is unknown."""
        wanted = self.limit if size is None else size
        if wanted > self.limit:
            raise self._too_large(place)
        with self._change:
            self._change.wait_for(lambda: self._stopped or self._held + wanted <= self.limit)
            self._check_stopped(place)
            self._held += wanted
        try:
            yield
        finally:
            with self._change:
                self._held -= wanted
                self._change.notify_all()

    def _check_stopped(self, place: RemotePlace) -> None:
        if self._stopped:
            raise StoreError(f"{place.url} is not fetched: the run ends", errno=errno.EINTR)

    def _too_large(self, place: RemotePlace) -> StoreError:
        return StoreError(
            f"{place.url} is larger than the scratch area of {self.limit / 2**30:g} GiB",
            hint="give it more with --scratch-gib",
            errno=errno.EFBIG,
        )


def _remove_abandoned(above: Path) -> None:
    """Remove the scratch folders of dead processes of this machine.

    That a process is dead is told by its number; as two machines may be called alike, the folder must not be
    locked either. Where folders cannot be locked all stay.
    """
    with contextlib.suppress(OSError), os.scandir(above) as entries:
        for entry in entries:
            named = _NAME.fullmatch(entry.name)
            if named is None or not is_dead(named["machine"], int(named["process"])):
                continue
            if entry.is_dir(follow_symlinks=False) and (lock := _locked(Path(entry.path))) is not None:
                shutil.rmtree(entry.path, ignore_errors=True)
                os.close(lock)


def _locked(folder: Path) -> int | None:
    """A handle that locks the folder until it is closed or its process ends; None where there is none."""
    if sys.platform == "win32":
        return None
    handle = None
    try:
        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if handle is not None:
            os.close(handle)
        return None
    return handle


class _Transfer:
    """A file on its way into an open one, in a thread of its own; bytes beyond `most` are not written.

    `check` is called after each chunk, and may raise.
    """

    def __init__(self, place: RemotePlace, file: BinaryIO, most: int, check: Callable[[], None]) -> None:
        self.place, self._file, self._most, self._check = place, file, most, check
        self.ended = threading.Event()
        self.heard = monotonic()
        self._came = 0
        self._error: BaseException | None = None
        self._left = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin."""
        threads.start("fetches", self._run, self._fail)

    def leave(self) -> None:
        """Nothing is written to the file any more."""
        with self._lock:
            self._left = True

    def result(self) -> int:
        """The bytes that came, at most one chunk more than were wanted; raises what went wrong."""
        if self._error is not None:
            raise self._error
        return self._came

    def _run(self) -> None:
        for chunk in self.place.chunks():
            self._check()
            with self._lock:
                self._came += len(chunk)
                if self._left or self._came > self._most:
                    break
                self._file.write(chunk)
            self.heard = monotonic()
        self.ended.set()

    def _fail(self, error: BaseException) -> None:
        self._error = error
        self.ended.set()

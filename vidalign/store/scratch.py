"""A bounded place on this machine for files that are fetched, used and dropped."""

from __future__ import annotations

import contextlib
import errno
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidalign.errors import StoreError, UsageError
from vidalign.store.remote import RemotePlace

SCRATCH_BYTES = 20 * 2**30
"""Bytes of fetched files that lie there at one time."""


class Scratch:
    """A temporary folder below `above` (default: the system's) that never holds more than `limit` bytes.

    Safe to use from several threads; close it, or use it as a context, to delete it. Raises UsageError where
    the folder cannot be made.
    """

    def __init__(self, above: Path | None = None, limit: int = SCRATCH_BYTES) -> None:
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="vidalign-", dir=above))
        except OSError as error:
            place = above or "the folder for temporary files"
            raise UsageError(
                f"no scratch folder can be made in {place}: {error.strerror}",
                hint="name another folder with --scratch",
            ) from None
        self.limit = limit
        self._held = 0
        self._stopped = False
        self._change = threading.Condition()

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete the folder and all in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Meanwhile nothing is fetched: what is under way, or waits for room, ends with StoreError."""
        with self._change:
            self._stopped = True
            self._change.notify_all()
        yield
        self._stopped = False

    @contextmanager
    def fetched(self, place: RemotePlace, local: Path) -> Iterator[Path]:
        """The file of `place` as `local`, which lies in the folder; deleted at the end.

        Waits until there is room. Raises StoreError where it is larger than the limit, or comes incomplete.
        """
        size = place.size()
        with self._room(place, size):
            try:
                self._fetch(place, local, size)
                yield local
            finally:
                with contextlib.suppress(OSError):
                    local.unlink(missing_ok=True)

    def _fetch(self, place: RemotePlace, local: Path, size: int | None) -> None:
        came, most = 0, self.limit if size is None else size
        try:
            local.parent.mkdir(parents=True, exist_ok=True)
            with local.open("wb") as file:
                for chunk in place.chunks():
                    self._check_stopped(place)
                    came += len(chunk)
                    if came > most:
                        break
                    file.write(chunk)
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

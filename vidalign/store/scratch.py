"""A bounded place on this machine for files that are fetched, used and dropped."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidalign.errors import StoreError
from vidalign.store.remote import RemotePlace

SCRATCH_BYTES = 20 * 2**30
"""Bytes of fetched files that lie there at one time."""


class Scratch:
    """A temporary folder below `above` (default: the system's) that never holds more than `limit` bytes.

    Safe to use from several threads; close it, or use it as a context, to delete it.
    """

    def __init__(self, above: Path | None = None, limit: int = SCRATCH_BYTES) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vidalign-", dir=above))
        self.limit = limit
        self._held = 0
        self._change = threading.Condition()

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete the folder and all in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def fetched(self, place: RemotePlace, local: Path) -> Iterator[Path]:
        """The file of `place` as `local`, which lies in the folder; deleted at the end.

        Waits until there is room. Raises StoreError where it is larger than the limit, or comes incomplete.
        """
        size = place.size()
        with self._room(place, size):
            local.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._fetch(place, local, size)
                yield local
            finally:
                with contextlib.suppress(OSError):
                    local.unlink(missing_ok=True)

    def _fetch(self, place: RemotePlace, local: Path, size: int | None) -> None:
        came, most = 0, self.limit if size is None else size
        try:
            with local.open("wb") as file:
                for chunk in place.chunks():
                    came += len(chunk)
                    if came > most:
                        break
                    file.write(chunk)
        except OSError as error:
            raise StoreError(f"cannot write {local}: {error.strerror or error}") from None
        if size is None and came > most:
            raise self._too_large(place)
        if size is not None and came != size:
            raise StoreError(
                f"{place.url}: {came} bytes came of {size}",
                hint="it changed on the way; try again",
            )

    @contextmanager
    def _room(self, place: RemotePlace, size: int | None) -> Iterator[None]:
        """Holds `size` bytes of the limit, all of it where the size is unknown."""
        wanted = self.limit if size is None else size
        if wanted > self.limit:
            raise self._too_large(place)
        with self._change:
            self._change.wait_for(lambda: self._held + wanted <= self.limit)
            self._held += wanted
        try:
            yield
        finally:
            with self._change:
                self._held -= wanted
                self._change.notify_all()

    def _too_large(self, place: RemotePlace) -> StoreError:
        return StoreError(
            f"{place.url} is larger than the scratch area of {self.limit / 2**30:g} GiB",
            hint="give it more with --scratch-gib",
        )

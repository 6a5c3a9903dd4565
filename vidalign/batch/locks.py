"""Which process has which item of a folder: locks on bytes of its run file, far past the end of its text.

The kernel gives them back when a process dies, and they leave no file. Where a file system has no locks,
everybody gets every item: then two processes may do one twice, and the later one's output stays.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_IN_USE = 2**62
"""The byte that everybody at work in the folder shares; items have those below."""
_BUSY = (BlockingIOError, PermissionError)


class RunLocks:
    """One process's locks in one folder; raises OSError where the run file cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle = os.open(path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
        self._held: set[str] = set()

    def read(self) -> bytes:
        """The run file; not opened again, as closing it would give some systems' locks back."""
        size = os.fstat(self._handle).st_size
        os.lseek(self._handle, 0, os.SEEK_SET)
        return os.read(self._handle, size)

    def is_current(self) -> bool:
        """Whether the run file is still the one that was opened."""
        try:
            return os.path.samestat(os.fstat(self._handle), self._path.stat())
        except FileNotFoundError:
            return False

    def join(self, *, alone: bool = False) -> bool:
        """Be at work in the folder, with others or `alone`; False where somebody's work forbids it."""
        return _lock(self._handle, _IN_USE, shared=not alone)

    def take(self, name: str) -> bool:
        """Take the item called `name`; False where somebody has it, this process included."""
        if name in self._held or not _lock(self._handle, _byte_of(name)):
            return False
        self._held.add(name)
        return True

    def give_back(self, name: str) -> None:
        """Let others have the item."""
        if name in self._held:
            self._held.remove(name)
            _unlock(self._handle, _byte_of(name))

    def close(self) -> None:
        """Give all back."""
        with contextlib.suppress(OSError):
            os.close(self._handle)


def _byte_of(name: str) -> int:
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return 2**32 + int.from_bytes(digest[:8]) % 2**61


def _lock(handle: int, byte: int, *, shared: bool = False) -> bool:
    if sys.platform == "win32":
        return True
    kind = fcntl.F_RDLCK if shared else fcntl.F_WRLCK
    try:
        if sys.platform == "linux":
            fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _request(kind, byte))
        else:
            mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.lockf(handle, mode | fcntl.LOCK_NB, 1, byte)
    except _BUSY:
        return False
    except OSError:
        return True
    return True


def _unlock(handle: int, byte: int) -> None:
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        if sys.platform == "linux":
            fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _request(fcntl.F_UNLCK, byte))
        else:
            fcntl.lockf(handle, fcntl.LOCK_UN, 1, byte)


def _request(kind: int, byte: int) -> bytes:
    """Linux's `struct flock`: of the open file, so that a process's other handles do not matter."""
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, byte, 1, 0)

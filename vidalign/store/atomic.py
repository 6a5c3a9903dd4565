"""Files and folders appear whole or not at all: written beside their place, fsynced, then renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from vidalign.errors import StoreError

ELSEWHERE = "choose another folder"
"""What to do where nothing can be written."""

_WAYS_OUT = {
    errno.EACCES: ELSEWHERE,
    errno.EPERM: ELSEWHERE,
    errno.EROFS: ELSEWHERE,
    errno.ENOTDIR: ELSEWHERE,
    errno.EEXIST: ELSEWHERE,
    errno.EISDIR: "give a file name",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOSPC: f"make room there, or {ELSEWHERE}",
    errno.EDQUOT: f"make room there, or {ELSEWHERE}",
}
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""What a disk says on which nothing more can be written."""

_LONGEST_NAME = 255
_ABANDONED_SECONDS = 24 * 3600
_TEMPORARY = re.compile(r"\..*\.tmp-(?P<machine>[0-9a-f]{8})-(?P<process>\d{1,10})-[0-9a-f]{8}", re.DOTALL)


@contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """Give an empty temporary file in the folder of `final`; on success it replaces `final`.

    When the body raises anything (KeyboardInterrupt and SystemExit too) the temporary file is removed and
    `final` stays as it was. A symbolic link is followed; missing folders are made. Raises StoreError when
    `final` is not a plain file, its folder cannot be written, or the body finds no room there.
    """
    target = _target(Path(final))
    temporary = target.with_name(_temporary_name(target.name))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(final, error) from error
    try:
        try:
            temporary.touch(exist_ok=False)
        except OSError as error:
            raise cannot_write(final, error) from error
        with _told_of(final, temporary):
            yield temporary
        try:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(target)
        except OSError as error:
            raise cannot_write(final, error) from error
        with contextlib.suppress(OSError):  # some systems cannot sync a folder
            _sync_folder(target.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(final: Path) -> Iterator[Path]:
    """Give an empty folder beside `final`; on success it takes the place of `final` and all that was in it.

    When the body raises anything the new folder is removed and `final` stays as it was. Raises StoreError
    where `final` is no folder, the one around it cannot be written, or the body finds no room there.
    """
    target = final.resolve()
    if target.exists() and not target.is_dir():
        raise StoreError(f"cannot write {final}: it is not a folder", hint="give the name of a folder")
    temporary = target.with_name(_temporary_name(target.name))
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise cannot_write(final, error) from error
    try:
        with _told_of(final, temporary):
            yield temporary
        try:
            _sync_files(temporary)
            _swap(temporary, target)
        except OSError as error:
            raise cannot_write(final, error) from error
        with contextlib.suppress(OSError):
            _sync_folder(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _told_of(final: Path, temporary: Path) -> Iterator[None]:
    """Turns what the system says of writing `temporary`, or in it, into the error of `final`."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM or str(error.filename).startswith(str(temporary)):
            raise cannot_write(final, error) from error
        raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, newlines as given; raises StoreError."""
    with atomic_path(path) as temporary:
        try:
            temporary.write_bytes(text.encode("utf-8"))
        except OSError as error:
            raise cannot_write(path, error) from error


def create_text(path: Path, text: str) -> bool:
    """Write UTF-8 text unless there is a file already, which stays; whether it was written.

    Of several processes one succeeds; none sees half of the text. Raises StoreError.
    """
    temporary = path.with_name(_temporary_name(path.name))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        return _link(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _link(temporary: Path, final: Path) -> bool:
    """Give a file its name, unless that is taken; where there are no hard links, with a short race."""
    try:
        final.hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
            raise
        if final.exists():
            return False
        temporary.replace(final)
    return True


def _target(final: Path) -> Path:
    try:
        target = final.resolve() if final.is_symlink() else final
        special = target.exists() and not target.is_file()
    except (OSError, RuntimeError, ValueError) as error:
        raise StoreError(f"cannot write {final}: {error}") from error
    if special or not target.name:
        raise StoreError(f"cannot write {final}: it is not a plain file", hint="give a file name")
    return target


def remove_leftovers(folder: Path) -> int:
    """Remove what killed processes left half-written in a folder; how many files and folders.

    Those of a dead process of this machine go, and those of any that nobody has touched for a day.
    """
    removed = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in [entry for entry in entries if _is_leftover(entry)]:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink(missing_ok=True)
            removed += 1
    return removed


def _is_leftover(entry: os.DirEntry[str]) -> bool:
    match = _TEMPORARY.fullmatch(entry.name)
    if match is None:
        return False
    if match["machine"] == _machine():
        return is_dead(match["machine"], int(match["process"]))
    with contextlib.suppress(OSError):
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED_SECONDS
    return False


def is_dead(machine: str, process: int) -> bool:
    """Whether a process, as `own_name` gives it, is one of this machine that is no more."""
    if machine != _machine():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):  # a number that no process has
        return True
    except OSError:
        return False  # another user's
    return False


def own_name() -> str:
    """MACHINE-PROCESS, 8 hexadecimal digits and a number, as names of temporary files give this process."""
    return f"{_machine()}-{os.getpid()}"


def _temporary_name(name: str) -> str:
    ending = f".tmp-{own_name()}-{secrets.token_hex(4)}"
    room = _LONGEST_NAME - len(ending) - 1
    return "." + os.fsencode(name)[:room].decode("utf-8", "ignore") + ending


@cache
def _machine() -> str:
    """Names the machine, or the container, in which the numbers of processes count."""
    processes = Path("/proc/self/ns/pid")
    place = str(processes.readlink()) if processes.exists() else ""
    return hashlib.sha256(f"{platform.node()} {place}".encode()).hexdigest()[:8]


def _sync_files(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())


def _swap(temporary: Path, target: Path) -> None:
    """Rename into place; what lies there is moved aside first, and back where that fails."""
    if not target.exists():
        temporary.rename(target)
        return
    old = target.with_name(_temporary_name(target.name))
    target.rename(old)
    try:
        temporary.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cannot_write(path: Path, error: OSError) -> StoreError:
    """The error of one line that tells why a file could not be written."""
    reason = os.strerror(error.errno) if error.errno else str(error).partition("\n")[0]
    return StoreError(f"cannot write {path}: {reason}", hint=way_out(error) or ELSEWHERE, errno=error.errno)


def way_out(error: OSError) -> str:
    """What to do about a file or folder that the system refuses; empty where that is not known."""
    return _WAYS_OUT.get(error.errno or 0, "")

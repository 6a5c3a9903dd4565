"""Files and folders appear whole or not at all: written beside their place, fsynced, then renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidalign.errors import StoreError

_LONGEST_NAME = 255


@contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """Give an empty temporary file in the folder of `final`; on success it replaces `final`.

    When the body raises anything (KeyboardInterrupt and SystemExit too) the temporary file is removed and
    `final` stays as it was. A symbolic link is followed; missing folders are made. Raises StoreError when
    `final` is not a plain file, or its folder cannot be written.
    """
    target = _target(Path(final))
    temporary = target.with_name(_temporary_name(target.name))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(final, error) from error
    try:
        try:
            temporary.touch(exist_ok=False)
        except OSError as error:
            raise _cannot_write(final, error) from error
        yield temporary
        try:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(target)
        except OSError as error:
            raise _cannot_write(final, error) from error
        with contextlib.suppress(OSError):  # some systems cannot sync a folder
            _sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(final: Path) -> Iterator[Path]:
    """Give an empty folder beside `final`; on success it takes the place of `final` and all that was in it.

    When the body raises anything the new folder is removed and `final` stays as it was. Raises StoreError
    where `final` is no folder, or the one around it cannot be written.
    """
    target = final.resolve()
    if target.exists() and not target.is_dir():
        raise StoreError(f"cannot write {final}: it is not a folder", hint="give the name of a folder")
    temporary = target.with_name(_temporary_name(target.name))
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise _cannot_write(final, error) from error
    try:
        yield temporary
        try:
            _sync_files(temporary)
            _swap(temporary, target)
        except OSError as error:
            raise _cannot_write(final, error) from error
        with contextlib.suppress(OSError):
            _sync_folder(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically, newlines as given; raises StoreError."""
    with atomic_path(path) as temporary:
        try:
            temporary.write_bytes(text.encode("utf-8"))
        except OSError as error:
            raise _cannot_write(path, error) from error


def _target(final: Path) -> Path:
    try:
        target = final.resolve() if final.is_symlink() else final
        special = target.exists() and not target.is_file()
    except (OSError, RuntimeError, ValueError) as error:
        raise StoreError(f"cannot write {final}: {error}") from error
    if special or not target.name:
        raise StoreError(f"cannot write {final}: it is not a plain file", hint="give a file name")
    return target


def _temporary_name(name: str) -> str:
    ending = f".tmp-{os.getpid()}-{secrets.token_hex(4)}"
    room = _LONGEST_NAME - len(ending) - 1
    return "." + os.fsencode(name)[:room].decode("utf-8", "ignore") + ending


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


def _cannot_write(path: Path, error: OSError) -> StoreError:
    return StoreError(f"cannot write {path}: {error.strerror or error}")

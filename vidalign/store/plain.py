"""HDF5 of strangers: opened with one error for all faults; nothing in it may lead out of it or be hollow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from vidalign.errors import StoreError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MOST_PACKED = 1100
"""Bytes of values to a byte of the file: more than compression (at most 1032) can explain."""
SMALL = 1 << 16
"""Bytes of values below which nobody asks how they are stored."""

FAULTS = (
    *(OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, IndexError),
    *(MemoryError, OverflowError, SystemError, NotImplementedError, RecursionError),
)
"""What h5py raises on damaged files; never a fault of the caller's."""

_PLAIN_TYPES: dict[str, tuple[type, ...]] = {
    "str | None": (str,),
    "bool | None": (bool,),
    "int | None": (int,),
    "float | None": (int, float),
    "AlignabilityKind | None": (str,),
}


_looking_first: list[Callable[[Path], None]] = []


@contextmanager
def looked_at_first(look: Callable[[Path], None]) -> Iterator[None]:
    """Meanwhile, in all threads, `look` gets every HDF5 file before it is opened, and may raise.

    Of several, the last that came looks.
    """
    _looking_first.append(look)
    try:
        yield
    finally:
        _looking_first.remove(look)


def look_first(path: Path) -> None:
    """Let who wants to look at a file first do so; raises what that raises."""
    if _looking_first:
        _looking_first[-1](path)


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file for reading; raises StoreError where it cannot be opened."""
    look_first(path)
    try:
        file = h5py.File(path, "r", locking="best-effort")
    except FAULTS as error:
        raise StoreError(
            f"{path} is a damaged or cut off HDF5 file ({first_line(error)})",
            hint="make it again with --overwrite",
            errno=errno_of(error),
        ) from error
    with file:
        yield file


@contextmanager
def explained(path: Path, fault: str) -> Iterator[None]:
    """What h5py and numpy raise on damaged content becomes a StoreError `PATH FAULT: reason`."""
    try:
        yield
    except FAULTS as error:
        raise StoreError(f"{path} {fault}: {first_line(error)}", errno=errno_of(error)) from error


def members(group: h5py.Group, path: Path, seen: set[int] | None = None) -> Iterator[tuple[str, Any]]:
    """What lies in a group, by name. Raises StoreError at links that lead elsewhere, in the file or out of
    it, and, with the addresses `seen`, at a group that was met before.
    """
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise StoreError(f"{path}: {name[:60]!r} is a link to somewhere else, which is not followed")
        node = group[name]
        if seen is not None and isinstance(node, h5py.Group):
            address = h5py.h5o.get_info(node.id).addr
            if address in seen:
                raise StoreError(f"{path}: {name[:60]!r} is a group that lies in two places")
            seen.add(address)
        yield name, node


def check_plain(
    group: h5py.Group, path: Path, *, virtual: bool = False, seen: set[int] | None = None
) -> None:
    """Raise StoreError unless all below `group` lies in the file itself and can be as large as it says.

    `virtual` datasets may be allowed.
    """
    seen = {h5py.h5o.get_info(group.id).addr} if seen is None else seen
    for name, node in members(group, path, seen):
        if isinstance(node, h5py.Group):
            check_plain(node, path, virtual=virtual, seen=seen)
        elif isinstance(node, h5py.Dataset) and not (virtual and node.is_virtual):
            check_dataset(node, f"{path}: {name[:60]!r}")


def check_dataset(node: h5py.Dataset, where: str) -> None:
    """Raise StoreError where values lie in other files, or are more than the file can hold."""
    if node.shape is None:
        return
    if node.is_virtual or node.external:
        raise StoreError(f"{where} lies in other files, which are not opened")
    if node.nbytes > SMALL and node.nbytes > MOST_PACKED * (node.id.get_storage_size() + 1):
        raise StoreError(f"{where} claims {node.nbytes} bytes, of which the file holds next to none")


def check_types(known: Mapping[str, Any], cls: type[DataclassInstance], path: Path) -> None:
    """Raise StoreError where a value of a plain field is of another type than the field; None is unknown."""
    for field in fields(cls):
        wanted, value = _PLAIN_TYPES.get(str(field.type)), known.get(field.name)
        if wanted is None or value is None:
            continue
        if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
            raise StoreError(f"{path}: {field.name} is {str(value)[:60]!r}, which it cannot be")


def errno_of(error: BaseException) -> int | None:
    """What the operating system refused it with, None where it did not."""
    return error.errno if isinstance(error, OSError) else None


def first_line(error: BaseException) -> str:
    """The reason, without what HDF5 says on further lines."""
    return str(error).partition("\n")[0] or type(error).__name__

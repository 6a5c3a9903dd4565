"""What both HDF5 schemas share: opening with clear refusals, attributes, text, the same bytes every time."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vidalign.errors import ConfigError, StoreError
from vidalign.store import plain
from vidalign.store.atomic import atomic_path, cannot_write
from vidalign.types import Recipe

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_TEXT = h5py.string_dtype("utf-8")


@contextmanager
def create(
    path: Path, schema: str, *, version: str = "v108", in_memory: bool = True, needs: int = 0
) -> Iterator[h5py.File]:
    """Open a new file of `schema` for writing; `complete` is set last, then it takes the place of `path`.

    `version` is that of the oldest HDF5 which can read it: 1.8, or v110 where datasets are virtual. The file
    is put together `in_memory`, as HDF5 can crash the process where a disk is full; for large ones, which
    are not, it must have the bytes that they need. Raises StoreError.
    """
    with atomic_path(path) as temporary:
        how = {"driver": "core", "backing_store": False} if in_memory else {"locking": "best-effort"}
        try:
            if needs:
                _check_room(temporary.parent, needs)
            with h5py.File(temporary, "w", libver=(version, version), **how) as file:
                write_attribute(file, "schema", schema)
                yield file
                file.attrs["complete"] = np.True_
                if in_memory:
                    file.flush()
                    temporary.write_bytes(file.id.get_file_image())
        except OSError as error:
            raise cannot_write(path, error) from error


def _check_room(folder: Path, needs: int) -> None:
    """Raise OSError where a disk that says its size has fewer bytes to give."""
    disk = shutil.disk_usage(folder)
    if disk.total and disk.free < needs:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def open_schema(path: Path, schema: str, *, pointing: bool = False) -> Iterator[h5py.File]:
    """Open a complete file of `schema` for reading; raises StoreError for anything else.

    Only where it may be `pointing` can its datasets lie in other files.
    """
    check_is_hdf5(path)
    with plain.opened(path) as file:
        with _attributes_of(path):
            found, complete = (_plain(file.attrs.get(name)) for name in ("schema", "complete"))
        check_schema(found, schema, path)
        if complete is not True:
            raise StoreError(f"{path} was not written to its end", hint="make it again with --overwrite")
        with plain.explained(path, "does not hold what its schema promises"):
            if not pointing:
                plain.check_plain(file, path)
            yield file


def check_is_hdf5(path: Path) -> None:
    """Raise StoreError unless `path` is a plain file that begins as HDF5 does."""
    if read_start(path, len(SIGNATURE)) != SIGNATURE:
        raise StoreError(
            f"{path} is not an HDF5 file", hint="vidalign writes .h5 files; see `vidalign extract`"
        )


def read_start(path: Path, size: int) -> bytes:
    """The first `size` bytes of a plain file; raises StoreError."""
    try:
        if path.exists() and not path.is_file():
            raise StoreError(f"{path} is not a plain file")
        with path.open("rb") as file:
            return file.read(size)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StoreError(f"cannot read {path}: {reason}", errno=plain.errno_of(error)) from error


def check_schema(found: object, wanted: str, path: Path) -> None:
    """Raise StoreError unless the schema `found` in a file is `wanted`, or a minor revision of it."""
    name, _, major = wanted.partition("/")
    match = re.fullmatch(r"([\w.]+)/(\d+)(\.\d+)?", found) if isinstance(found, str) else None
    if match is None:
        raise StoreError(
            f"{path} is not a vidalign file: it names no schema", hint=f"{wanted} is expected here"
        )
    if match[1] != name:
        raise StoreError(
            f"{path} holds {match[0]}, but {wanted} is expected here", hint=_MAKERS.get(name, "")
        )
    if int(match[2]) > int(major):
        raise StoreError(
            f"{path} is of schema {match[0]}, newer than {wanted}", hint="upgrade: pip install -U vidalign"
        )


_MAKERS = {
    "vidalign.features": "features files come from `vidalign extract`",
    "vidalign.alignment": "alignment files come from `vidalign align`",
    "vidalign.text": "text features files come from `vidalign extract-text`",
    "vidalign.pack": "merged files come from `vidalign merge`",
}


def write_attribute(file: h5py.Group, name: str, value: Any) -> None:
    """Store one attribute; None and numbers that are not finite are left out (unknown)."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return
    if isinstance(value, Recipe):
        value = value.to_json()
    elif isinstance(value, Mapping):
        value = canonical_json(value)
    if isinstance(value, str):
        file.attrs.create(name, text_bytes(value, name), dtype=_TEXT)
    else:
        file.attrs[name] = value


def read_attributes(file: h5py.Group, path: Path) -> dict[str, Any]:
    """All root attributes as plain Python values."""
    with _attributes_of(path):
        return {str(name): _plain(value) for name, value in file.attrs.items()}


@contextmanager
def _attributes_of(path: Path) -> Iterator[None]:
    try:
        yield
    except plain.FAULTS as error:
        raise StoreError(
            f"{path}: its attributes cannot be read ({plain.first_line(error)})", errno=plain.errno_of(error)
        ) from error


def recipe_of(text: object, path: Path) -> Recipe | None:
    """The recipe in an attribute: canonical JSON, a mapping, or None for unknown."""
    if text is None:
        return None
    try:
        if isinstance(text, Mapping):
            return Recipe.from_mapping(text)
        return Recipe.from_json(str(text))
    except (ConfigError, ValueError) as error:
        raise StoreError(f"{path}: its recipe cannot be understood: {error}") from error


def write_array(group: h5py.Group, name: str, values: np.ndarray[Any, Any]) -> None:
    """Store an array contiguously, without times, in its own dtype and C order."""
    group.create_dataset(name, data=np.ascontiguousarray(values), track_times=False)


def write_texts(group: h5py.Group, name: str, texts: Sequence[str]) -> None:
    """Store strings as variable-length UTF-8 (N,)."""
    data = np.empty(len(texts), dtype=object)
    data[:] = [text_bytes(text, name) for text in texts]
    group.create_dataset(name, data=data, dtype=_TEXT, track_times=False)


def read_texts(group: h5py.Group, name: str) -> list[str]:
    """The strings of `write_texts`."""
    return [raw.decode("utf-8", "surrogateescape") for raw in group[name][()].tolist()]


def text_bytes(text: str, name: str) -> bytes:
    """UTF-8 as HDF5 can hold it: no NUL, no lone surrogate but those of undecodable file names."""
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise StoreError(f"{name}: {text[:60]!r} holds half a character (a lone surrogate)") from error
    if b"\0" in data:
        raise StoreError(f"{name}: {text[:60]!r} holds a NUL character, which HDF5 text cannot")
    return data


def canonical_json(values: Mapping[str, Any]) -> str:
    """Sorted keys, no spaces, no NaN; equal mappings give equal text."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return value.item() if isinstance(value, np.generic) else value

"""Feature files of the numpy family: one array a video, in files of its own or in one HDF5."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from vidalign.errors import StoreError
from vidalign.outside import reading_arrays
from vidalign.store import plain
from vidalign.store.exports.formats import Options, Rows
from vidalign.store.hdf5 import check_is_hdf5
from vidalign.types import Features

Named = Iterable[tuple[str, Features]]
Write = Callable[[Path, Named, Options], None]
Array = NDArray[np.floating]


def as_dtype(values: Array, options: Options, default: str | None = "float32") -> Array:
    """Features in the number format asked for, else in the format's own, else (None) as they are."""
    wanted = options.dtype or default
    return np.ascontiguousarray(values if wanted is None else values.astype(wanted, copy=False))


def write_npy(dtype: str | None = "float32") -> Write:
    """The `write` of plain `.npy` files (T, D)."""

    def write(path: Path, named: Named, options: Options) -> None:
        for _, features in named:
            with path.open("wb") as file:
                np.save(file, as_dtype(features.features, options, dtype), allow_pickle=False)

    return write


def read_npy(path: Path, name: str, key: str | None) -> Iterator[tuple[str, Rows]]:
    """The array of a `.npy` file under the file's name."""
    with explained(path), path.open("rb") as file:
        values = np.load(file, allow_pickle=False)
        if not isinstance(values, np.ndarray):
            raise StoreError(f"{path} is an archive of arrays, not one array")
    yield name, checked(path, name, values)


def write_flat_hdf5(path: Path, named: Named, options: Options) -> None:
    """One HDF5 whose keys are the names, each a float32 dataset (T, D)."""
    with explained(path), h5py.File(path, "w", libver=("v108", "v108"), locking="best-effort") as file:
        for name, features in named:
            values = as_dtype(features.features, options)
            try:
                file.create_dataset(name, data=values, track_times=False)
            except ValueError as error:
                raise StoreError(f"{name!r} cannot be a key beside those there are: {error}") from error


def read_flat_hdf5(path: Path, name: str, key: str | None) -> Iterator[tuple[str, Rows]]:
    """Every dataset of an HDF5 file under its path; with `key`, that dataset of every group."""
    check_is_hdf5(path)
    with plain.opened(path) as file, plain.explained(path, "cannot be read"):
        if str(file.attrs.get("schema", "")).startswith("vidalign."):
            raise StoreError(f"{path} is a file of vidalign already", hint="it needs no import")
        yield from _datasets(path, file, key)


def _datasets(path: Path, file: h5py.File, key: str | None) -> Iterator[tuple[str, Rows]]:
    groups: list[tuple[str, h5py.Group]] = [("", file)]
    seen: set[int] = set()
    while groups:
        above, group = groups.pop()
        for name, node in plain.members(group, path, seen):
            full = f"{above}/{name}" if above else name
            if isinstance(node, h5py.Group):
                groups.append((full, node))
            elif isinstance(node, h5py.Dataset) and (key is None or (name == key and above)):
                plain.check_dataset(node, f"{path}: {full[:60]!r}")
                called = full if key is None else above
                yield called, checked(path, called, node[()])


def checked(path: Path, name: str, values: NDArray[np.generic]) -> Rows:
    """The values as float16 or float32 rows; raises StoreError where they are not (clips, width)."""
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.floating):
        raise StoreError(
            f"{path}: {name} is {values.dtype} of shape {values.shape}; numbers of shape (clips, width) are "
            "expected"
        )
    small = values.dtype.newbyteorder("=") in (np.float16, np.float32)
    return Rows(values=values.astype(values.dtype.newbyteorder("=") if small else np.float32, copy=False))


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what numpy and h5py raise on files that are not theirs into a StoreError."""
    try:
        with reading_arrays():
            yield
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise StoreError(f"cannot read or write {path}: {reason}") from error

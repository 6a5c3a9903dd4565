"""Clip features as one row a second, read from their files when a window needs them.

Only where the rows lie is kept in memory. What several windows or worker processes read, the system's page
cache holds once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vidalign.errors import ConfigError, DataError, StoreError
from vidalign.outside import reading_arrays
from vidalign.store.features import map_features
from vidalign.types import Recipe

SUFFIXES = (".h5", ".npy")

OFF_BEAT = 0.05
"""Seconds by which a clip may begin beside its second where there is one a second."""

HOLES = 0.1
"""Share of the seconds that may lie in no clip; they get the nearest one."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What made features: their width, and the backbone, recipe and weights as far as their file says."""

    width: int
    backbone: str | None = None
    recipe: Recipe | None = None
    weights_sha256: str | None = None

    def differences(self, other: Origin) -> list[str]:
        """Lines 'key: here / there' for what is known of both and differs."""
        found = [
            f"{key}: {mine} / {theirs}"
            for key in ("width", "backbone", "weights_sha256")
            if None not in (mine := getattr(self, key), theirs := getattr(other, key)) and mine != theirs
        ]
        if self.recipe is not None and other.recipe is not None:
            found += self.recipe.differences(other.recipe)
        return found


class OneOrigin:
    """Holds what made a set's features against what made the first of them."""

    def __init__(self) -> None:
        self._first: tuple[Path, Origin] | None = None

    @property
    def origin(self) -> Origin:
        """What made the features; raises DataError where none were read."""
        if self._first is None:
            raise DataError("no features were read")
        return self._first[1]

    def compare(self, path: Path, origin: Origin) -> None:
        """Raises ConfigError where these were made in another way."""
        if self._first is None:
            self._first = path, origin
        other, first = self._first
        if differences := first.differences(origin):
            raise ConfigError(
                f"{other} and {path} were made in different ways ({'; '.join(differences)})",
                hint="train on features of one model and recipe",
            )


class Rows(Protocol):
    """The features of one video, row t for second t."""

    @property
    def seconds(self) -> int:
        """How many rows there are."""
        ...

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Rows [start, stop) as (stop - start, D)."""
        ...


@dataclass(frozen=True, slots=True)
class StoredRows:
    """Rows that lie in a file as they are needed, from byte `offset` on."""

    path: Path
    offset: int
    dtype: str
    seconds: int
    width: int

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Raises StoreError where the file has changed, DataError on values that are not finite."""
        dtype, count = np.dtype(self.dtype), (stop - start) * self.width
        begin = self.offset + start * self.width * dtype.itemsize
        try:
            values = np.fromfile(self.path, dtype, count, offset=begin)
        except OSError as error:
            raise StoreError(f"cannot read {self.path}: {error.strerror or error}") from error
        if len(values) != count:
            raise StoreError(f"{self.path} has become shorter", hint="leave the features as they are")
        if not np.isfinite(values).all():
            raise DataError(f"{self.path}: the features hold NaN or infinity", hint="extract them again")
        return values.reshape(-1, self.width).astype(np.float32, copy=False)


@dataclass(frozen=True, slots=True, eq=False)
class HeldRows:
    """Rows in memory: those that had to be made."""

    values: NDArray[np.floating[Any]]

    @property
    def seconds(self) -> int:
        """How many rows there are."""
        return len(self.values)

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Rows [start, stop) as (stop - start, D)."""
        return self.values[start:stop].astype(np.float32)


def open_rows(path: Path) -> tuple[Rows, Origin]:
    """The rows of a features file (.h5), or of an array (seconds, width) as HowTo100M's features come (.npy).

    Clips that do not begin once a second are resampled into memory. Raises StoreError or DataError.
    """
    if path.suffix.lower() == ".npy":
        array = _map_array(path)
        return _stored(array, path), Origin(array.shape[1])
    features = map_features(path)
    values, times = features.features, features.times
    if not len(values):
        raise DataError(f"{path}: the features hold no clip", hint="extract them again")
    origin = Origin(values.shape[1], features.backbone, features.recipe, features.weights_sha256)
    if np.abs(times[:, 0] - np.arange(len(times))).max() > OFF_BEAT:
        return HeldRows(by_second(values, times, path)), origin
    return _stored(values, path), origin


def by_second(
    values: NDArray[np.floating[Any]], times: NDArray[np.float64], path: Path | str = "features"
) -> NDArray[np.floating[Any]]:
    """Clip features (T, D) with times (T, 2) as rows (S, D): each the mean of its second's clips.

    Clips count by their overlap with the second; S is the end of the last clip, rounded. Seconds without any
    take the nearest clip; raises DataError where there are too many of them.
    """
    starts, ends = times[:, 0], times[:, 1]
    seconds = max(int(ends.max() + 0.5), 1)
    rows = np.empty((seconds, values.shape[1]), values.dtype)
    holes = 0
    for second in range(seconds):
        overlap = np.minimum(ends, second + 1) - np.maximum(starts, second)
        if overlap.max() <= 0:
            rows[second] = values[overlap.argmax()]
            holes += 1
            continue
        inside = np.flatnonzero(overlap > 0)
        rows[second] = np.average(values[inside].astype(np.float64), axis=0, weights=overlap[inside])
    if holes > HOLES * seconds:
        raise DataError(
            f"{path}: {holes} of {seconds} seconds lie in no clip",
            hint="extract the features with a recipe of one clip a second",
        )
    return rows


def _map_array(path: Path) -> np.memmap[Any, Any]:
    try:
        with reading_arrays():
            values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} is not an array of numbers: {error}") from None
    if not isinstance(values, np.memmap) or values.ndim != 2 or values.dtype not in (np.float16, np.float32):
        raise StoreError(f"{path} is not a float16 or float32 array (seconds, width)")
    if not len(values) or not values.flags.c_contiguous:
        raise StoreError(f"{path}: shape {values.shape} holds no rows that can be read one by one")
    return values


def _stored(values: NDArray[np.floating[Any]], path: Path) -> Rows:
    if not isinstance(values, np.memmap):
        return HeldRows(values)
    return StoredRows(path, values.offset, values.dtype.str, *values.shape)

"""Features files: HDF5, schema `vidalign.features/1`, one a video."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vidalign.errors import StoreError
from vidalign.store import hdf5, jsonfile, plain
from vidalign.types import Features

SCHEMA = "vidalign.features/1"
_ARRAYS = ("features", "times")
_ATTRIBUTES = tuple(f.name for f in fields(Features) if f.name not in _ARRAYS)


def write_features(path: Path, features: Features) -> None:
    """Write `features` (T, D), float16 or float32 as given, times (T, 2) and what is known of their making.

    The same content gives the same bytes. Raises StoreError.
    """
    with hdf5.create(Path(path), SCHEMA) as file:
        fill(file, features, Path(path))


def read_features(path: Path) -> Features:
    """Read a features file; the dtype stays, unknown attributes are None. Raises StoreError."""
    path = Path(path)
    with hdf5.open_schema(path, SCHEMA) as file:
        return taken(file, path)


def fill(group: h5py.Group, features: Features, path: Path, *, arrays: bool = True) -> None:
    """Write features into a group of the file `path`; without `arrays` only how they were made."""
    _check(features.features, features.times, path)
    if arrays:
        hdf5.write_array(group, "features", features.features)
        hdf5.write_array(group, "times", np.asarray(features.times, dtype=np.float64))
    for name in _ATTRIBUTES:
        hdf5.write_attribute(group, name, getattr(features, name))


def taken(group: h5py.Group, path: Path) -> Features:
    """Inverse of `fill`."""
    values, times = group["features"][()], group["times"][()].astype(np.float64, copy=False)
    known = _known(hdf5.read_attributes(group, path), path)
    _check(values, times, path)
    return Features(features=values, times=times, **{name: known[name] for name in _ATTRIBUTES})


def map_features(path: Path) -> Features:
    """As `read_features`, but the values stay in the file, as a read-only numpy.memmap.

    Values that HDF5 holds in chunks (which this package does not write) are read.
    """
    path = Path(path)
    with hdf5.open_schema(path, SCHEMA) as file:
        stored, times = file["features"], file["times"][()].astype(np.float64, copy=False)
        offset = stored.id.get_offset()
        values = stored[()] if offset is None else np.memmap(path, stored.dtype, "r", offset, stored.shape)
        known = _known(hdf5.read_attributes(file, path), path)
    _check(values, times, path)
    return Features(features=values, times=times, **{name: known[name] for name in _ATTRIBUTES})


def read_features_attributes(path: Path) -> dict[str, Any]:
    """The attributes, `recipe` as a Recipe, unknown ones None, and `dtype`; the arrays are not read."""
    path = Path(path)
    with hdf5.open_schema(path, SCHEMA) as file:
        return _known(hdf5.read_attributes(file, path), path) | {"dtype": str(file["features"].dtype)}


def attributes_json(features: Features) -> str:
    """How features were made, as one canonical JSON object; null for what is not known."""
    return hdf5.canonical_json({name: jsonfile.value(getattr(features, name)) for name in _ATTRIBUTES})


def content_sha256(features: Features) -> str:
    """SHA-256 of the values (in their own precision) and times of features."""
    digest = hashlib.sha256(np.ascontiguousarray(features.features).tobytes())
    digest.update(np.ascontiguousarray(features.times).tobytes())
    return digest.hexdigest()


def _known(found: dict[str, Any], path: Path) -> dict[str, Any]:
    known = {"schema": found["schema"], **{name: found.get(name) for name in _ATTRIBUTES}}
    known["recipe"] = hdf5.recipe_of(known["recipe"], path)
    plain.check_types(known, Features, path)
    return known


def _check(values: np.ndarray[Any, Any], times: np.ndarray[Any, Any], path: Path) -> None:
    if values.ndim != 2 or values.dtype not in (np.float16, np.float32):
        raise StoreError(
            f"{path}: features are {values.dtype} of shape {values.shape}; "
            "float16 or float32 of shape (clips, width) are expected"
        )
    if times.shape != (len(values), 2):
        raise StoreError(
            f"{path}: {len(values)} features need times of shape ({len(values)}, 2), not {times.shape}"
        )

"""Moment-DETR and its family (jayleicn/moment_detr): `{vid}.npz` with `features`, a row every 2 s."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vidalign.errors import StoreError
from vidalign.store.exports.arrays import Named, as_dtype, checked, explained
from vidalign.store.exports.formats import FeaturesFormat, Options, Rows

_KEY = "features"


def write(path: Path, named: Named, options: Options) -> None:
    """One archive."""
    for _, features in named:
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **{_KEY: as_dtype(features.features, options)})


def read(path: Path, name: str, key: str | None) -> Iterator[tuple[str, Rows]]:
    """The array `features` (or `key`) under the file's name."""
    wanted = key or _KEY
    with explained(path), path.open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise StoreError(f"{path} is one array, not an archive of arrays")
        if wanted not in archive:
            raise StoreError(
                f"{path} holds no array {wanted!r}", hint=f"--key picks one of: {', '.join(archive)}"
            )
        values = archive[wanted]
    yield name, checked(path, name, values)


FORMAT = FeaturesFormat(
    summary='Moment-DETR and kin, {vid}.npz with "features", one row every 2 s',
    suffix=".npz",
    write=write,
    row_seconds=2.0,
    read=read,
    reads=(".npz",),
)

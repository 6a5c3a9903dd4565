"""safetensors: tensors `features` and `times`, and how they were made as JSON in the header."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from vidalign.errors import StoreError
from vidalign.store.exports.arrays import Named, as_dtype, checked, explained
from vidalign.store.exports.formats import FeaturesFormat, Options, Rows
from vidalign.store.features import attributes_json

_FEATURES, _TIMES = "features", "times"


def write(path: Path, named: Named, options: Options) -> None:
    """One file; its metadata has the one key `vidalign`, a JSON object."""
    for _, features in named:
        tensors = {
            _FEATURES: as_dtype(features.features, options, None),
            _TIMES: np.ascontiguousarray(features.times),
        }
        path.write_bytes(save(tensors, {"vidalign": attributes_json(features)}))


def read(path: Path, name: str, key: str | None) -> Iterator[tuple[str, Rows]]:
    """The tensor `features` (or `key`), with `times` where they are there."""
    wanted = key or _FEATURES
    try:
        with explained(path), safe_open(path, "numpy") as file:
            if wanted not in file.keys():  # noqa: SIM118 - it is no mapping
                raise StoreError(f"{path} holds no tensor {wanted!r}", hint="--key picks another")
            values = file.get_tensor(wanted)
            times = file.get_tensor(_TIMES) if _TIMES in file.keys() else None  # noqa: SIM118
    except SafetensorError as error:
        raise StoreError(f"cannot read {path}: {error}") from error
    yield name, replace(checked(path, name, values), times=times)


FORMAT = FeaturesFormat(
    summary="safetensors, tensors features and times",
    suffix=".safetensors",
    write=write,
    read=read,
    reads=(".safetensors",),
)

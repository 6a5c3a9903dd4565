"""WebDataset: a tar of samples `npy` (T, D), `times.npy` (T, 2) and `json`; writing needs the extra.

A sample's key ends at its first dot, so dots in names become underscores; `json` keeps the name.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vidalign.errors import MissingExtraError, StoreError
from vidalign.outside import load_json
from vidalign.store.exports.arrays import Named, as_dtype, checked, explained
from vidalign.store.exports.formats import FeaturesFormat, Options, Rows
from vidalign.store.features import attributes_json


def write(path: Path, named: Named, options: Options) -> None:
    """One shard; the same features give the same bytes."""
    try:
        from webdataset import TarWriter
    except ModuleNotFoundError:
        raise MissingExtraError(
            "shards need the package webdataset", hint="pip install 'vidalign[webdataset]'"
        ) from None
    keys: dict[str, str] = {}
    with path.open("wb") as file, TarWriter(file, user="", group="", mode=0o644, mtime=0) as shard:
        for name, features in named:
            key = name.replace(".", "_")
            if keys.setdefault(key, name) != name:
                raise StoreError(f"{name} and {keys[key]} would both be the sample {key}")
            known = json.loads(attributes_json(features)) | {"name": name}
            shard.write(
                {
                    "__key__": key,
                    "npy": as_dtype(features.features, options, None),
                    "times.npy": features.times,
                    "json": known,
                }
            )


def read(path: Path, name: str, key: str | None) -> Iterator[tuple[str, Rows]]:
    """The array `npy` (or `key`) of every sample, with `times.npy` and the name in `json` where they are."""
    with explained(path):
        try:
            with tarfile.open(path) as shard:
                for sample in _samples(shard):
                    yield _rows(path, sample, key or "npy")
        except tarfile.TarError as error:
            reason = str(error).partition(":\n")[0]
            raise StoreError(f"{path} is not a whole tar file: {reason}") from error


def _samples(shard: tarfile.TarFile) -> Iterator[dict[str, Any]]:
    """Neighbouring members of one key as one mapping from extension to bytes."""
    sample: dict[str, Any] = {}
    for member in shard:
        content = shard.extractfile(member)
        if content is None:
            continue
        folder, _, file = member.name.rpartition("/")
        stem, _, extension = file.partition(".")
        key = f"{folder}/{stem}" if folder else stem
        if sample and sample["__key__"] != key:
            yield sample
            sample = {}
        sample |= {"__key__": key, extension: content.read()}
    if sample:
        yield sample


def _rows(path: Path, sample: dict[str, Any], wanted: str) -> tuple[str, Rows]:
    key = sample["__key__"]
    if wanted not in sample:
        raise StoreError(f"{path}: the sample {key} has no {wanted}", hint="--key picks another")
    known = load_json(sample["json"]) if "json" in sample else {}
    name = known.get("name", key) if isinstance(known, dict) else key
    rows = checked(path, str(name), _array(sample[wanted]))
    return str(name), replace(rows, times=_array(sample["times.npy"]) if "times.npy" in sample else None)


def _array(data: bytes) -> np.ndarray[Any, Any]:
    values: np.ndarray[Any, Any] = np.load(io.BytesIO(data), allow_pickle=False)
    return values


FORMAT = FeaturesFormat(
    summary="WebDataset tar: npy, times.npy, json (extra `webdataset`)",
    suffix=".tar",
    write=write,
    gathers=True,
    read=read,
    reads=(".tar",),
)

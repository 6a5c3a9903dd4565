"""Text features files: HDF5, schema `vidalign.text/1`, one vector a sentence of one transcript."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from vidalign.errors import StoreError
from vidalign.store import hdf5
from vidalign.types import TextFeatures

SCHEMA = "vidalign.text/1"


def write_text_features(path: Path, texts: TextFeatures) -> None:
    """Write `features` (K, D), float16 or float32 as given, `text` (K,) and `model`.

    The same content gives the same bytes. Raises StoreError.
    """
    path = Path(path)
    _check(texts, path)
    with hdf5.create(path, SCHEMA) as file:
        hdf5.write_array(file, "features", texts.features)
        hdf5.write_texts(file, "text", texts.text)
        for name in ("model", "weights_sha256", "vidalign_version"):
            hdf5.write_attribute(file, name, getattr(texts, name))


def read_text_features(path: Path) -> TextFeatures:
    """Read a text features file; the dtype stays. Raises StoreError."""
    path = Path(path)
    with hdf5.open_schema(path, SCHEMA) as file:
        known = hdf5.read_attributes(file, path)
        found = TextFeatures(
            features=file["features"][()],
            text=tuple(hdf5.read_texts(file, "text")),
            model=known["model"],
            weights_sha256=known.get("weights_sha256"),
            vidalign_version=known.get("vidalign_version"),
        )
    _check(found, path)
    return found


def content_sha256(texts: TextFeatures) -> str:
    """SHA-256 of the values (in their own precision) and the sentences."""
    digest = hashlib.sha256(np.ascontiguousarray(texts.features).tobytes())
    for text in texts.text:
        digest.update(b"\0" + text.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _check(texts: TextFeatures, path: Path) -> None:
    values = texts.features
    if values.ndim != 2 or values.dtype not in (np.float16, np.float32) or not values.shape[1]:
        raise StoreError(
            f"{path}: text features are {values.dtype} of shape {values.shape}; "
            "float16 or float32 of shape (sentences, width) are expected"
        )
    if len(values) != len(texts.text):
        raise StoreError(f"{path}: {len(values)} vectors for {len(texts.text)} sentences")
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise StoreError(f"{path}: the vector of sentence {row + 1} holds NaN or infinity")
    if not isinstance(texts.model, str) or not texts.model:
        raise StoreError(f"{path}: it does not say which model made it")

"""Which of vidalign's files a file is."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from vidalign.errors import StoreError
from vidalign.store import hdf5, plain

Kind = Literal["features", "alignment"]


def kind_of(path: Path) -> Kind:
    """Features or alignment, by the schema's name; raises StoreError for other files."""
    if not hdf5.read_start(path, len(hdf5.SIGNATURE)).startswith(hdf5.SIGNATURE):
        if path.suffix.lower() == ".json":
            return "alignment"
        raise StoreError(f"{path} is not a file of vidalign", hint="give a .h5 or .json file that it wrote")
    with plain.opened(path) as file:
        schema = str(hdf5.read_attributes(file, path).get("schema"))
    if schema.startswith("vidalign.features/"):
        return "features"
    if schema.startswith("vidalign.alignment/"):
        return "alignment"
    if schema.startswith("vidalign.text/"):
        raise StoreError(f"{path} holds sentence features", hint="give it by `align --text-features`")
    if schema.startswith("vidalign.pack/"):
        raise StoreError(
            f"{path} holds many files merged into one",
            hint="take them apart: vidalign merge FILE --split -o DIR",
        )
    raise StoreError(
        f"{path} is an HDF5 file of another program", hint="give a file that extract or align wrote"
    )

"""Many features or alignment files in one HDF5, schema `vidalign.pack/1`: a group each, named as the file.

Every group holds what the file held. In a virtual pack the large arrays stay in the files and are only
pointed to, relative to the pack; a file that is gone then reads as NaN, which `unpacked` refuses.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from vidalign.errors import StoreError, UsageError
from vidalign.store import alignments, features, hdf5, plain
from vidalign.store.kind import Kind
from vidalign.types import Alignment, Features, Recipe

SCHEMA = "vidalign.pack/1"
_SCHEMAS = {"features": features.SCHEMA, "alignment": alignments.SCHEMA}
_LARGE = {"features": ("features", "times"), "alignment": ("similarity", "times")}


@dataclass(frozen=True, slots=True)
class Packed:
    """One member of a pack: its name, and what it holds."""

    name: str
    held: Features | Alignment


def write_pack(path: Path, kind: Kind, members: Sequence[tuple[str, Path]], *, virtual: bool = False) -> int:
    """Merge files of one kind, read one after the other; gives how many.

    Raises UsageError where their recipes, models or weights differ, StoreError where one cannot be read, or
    the disk has no room for all.
    """
    copied = [] if virtual else [file for _, file in members if file.suffix == ".h5" and file.is_file()]
    needs = sum(file.stat().st_size for file in copied)
    made: tuple[Path, dict[str, object]] | None = None
    count = 0
    version = "v110" if virtual else "v108"
    with hdf5.create(path, SCHEMA, version=version, in_memory=False, needs=needs) as pack:
        hdf5.write_attribute(pack, "kind", kind)
        for name, source in members:
            held = features.read_features(source) if kind == "features" else alignments.read_alignment(source)
            made = _same_making(made, source, held)
            _add(pack, path, name, source, held, virtual)
            count += 1
        pack.attrs["count"] = count
    return count


def unpacked(path: Path) -> Iterator[Packed]:
    """The members of a pack in order of name; raises StoreError."""
    with hdf5.open_schema(path, SCHEMA, pointing=True) as pack:
        kind = str(hdf5.read_attributes(pack, path).get("kind"))
        if kind not in _SCHEMAS:
            raise StoreError(f"{path} holds {kind!r}, which this version does not know")
        for name, group in _members(pack, _SCHEMAS[kind], path, set()):
            plain.check_plain(group, path, virtual=True)
            _check_sources(group, kind, path)
            held = features.taken(group, path) if kind == "features" else alignments.taken(group, path)
            yield Packed(name, held)


def _add(
    pack: h5py.File, path: Path, name: str, source: Path, held: Features | Alignment, virtual: bool
) -> None:
    kind: Kind = "features" if isinstance(held, Features) else "alignment"
    try:
        group = pack.create_group(name)
    except ValueError as error:
        raise StoreError(f"{source}: {name!r} cannot be a group in {path}: {error}") from error
    hdf5.write_attribute(group, "schema", _SCHEMAS[kind])
    if isinstance(held, Features):
        features.fill(group, held, source, arrays=not virtual)
    else:
        alignments.fill(group, held, source, matrix=not virtual)
    if virtual:
        _point_to(group, source, path.parent, _LARGE[kind])


def _point_to(group: h5py.Group, source: Path, folder: Path, names: Iterable[str]) -> None:
    """Virtual datasets for those of `names` that the file has; empty ones, which cannot be, are written."""
    where = os.path.relpath(source.resolve(), folder.resolve())
    with h5py.File(source, "r", locking="best-effort") as file:
        for name in names:
            if name not in file:
                continue
            shape, dtype = file[name].shape, file[name].dtype
            if 0 in shape:
                hdf5.write_array(group, name, file[name][()])
                continue
            layout = h5py.VirtualLayout(shape, dtype)
            layout[...] = h5py.VirtualSource(where, name, shape, dtype)
            group.create_virtual_dataset(name, layout, fillvalue=np.nan)


def _check_sources(group: h5py.Group, kind: str, path: Path) -> None:
    for name in _LARGE[kind]:
        if name in group and group[name].is_virtual:
            for source in group[name].virtual_sources():
                file = path.parent / source.file_name
                if not file.is_file():
                    raise StoreError(
                        f"{path} points to {file}, which is not there",
                        hint="put it back, or merge without --virtual",
                    )
                plain.look_first(file)


def _members(
    group: h5py.Group, schema: str, path: Path, seen: set[int], above: str = ""
) -> Iterator[tuple[str, h5py.Group]]:
    for name, node in plain.members(group, path, seen):
        full = f"{above}/{name}" if above else name
        if isinstance(node, h5py.Group):
            if hdf5.read_attributes(node, path).get("schema") == schema:
                yield full, node
            yield from _members(node, schema, path, seen, full)


def _same_making(
    before: tuple[Path, dict[str, object]] | None, source: Path, held: Features | Alignment
) -> tuple[Path, dict[str, object]]:
    making = _making(held)
    if before is None:
        return source, making
    first, theirs = before
    differences = [
        f"{k}: {_told(theirs[k], making[k])} / {_told(making[k], theirs[k])}"
        for k in making
        if making[k] != theirs[k]
    ]
    if differences:
        raise UsageError(
            f"{first} and {source} were made otherwise ({'; '.join(differences)})",
            hint="merge files of one kind of making only",
        )
    return before


def _making(held: Features | Alignment) -> dict[str, object]:
    if isinstance(held, Features):
        return {
            "backbone": held.backbone,
            "recipe": held.recipe,
            "weights": held.weights_sha256,
            "width": held.features.shape[1],
            "dtype": str(held.features.dtype),
        }
    return {
        "model": held.model,
        "scorer": held.scorer,
        "decoder": held.decoder,
        "weights": held.weights_sha256,
        "threshold": held.threshold,
    }


def _told(value: object, other: object) -> object:
    """A recipe by its name, by its values where the other has the same name."""
    if not isinstance(value, Recipe):
        return value
    return value.to_json() if isinstance(other, Recipe) and other.name == value.name else value.name

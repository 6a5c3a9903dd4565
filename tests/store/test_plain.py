"""HDF5 whose content lies elsewhere, leads in circles or is hollow is refused before it is read."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.alignments import made_alignment
from tests.tiny import made_features
from vidalign.errors import StoreError
from vidalign.store.alignments import read_alignment, write_alignment
from vidalign.store.exports.arrays import read_flat_hdf5
from vidalign.store.features import read_features, write_features
from vidalign.store.pack import unpacked, write_pack

Change = Callable[[h5py.File, Path], None]


def external_link(file: h5py.File, other: Path) -> None:
    file["features"] = h5py.ExternalLink(str(other), "features")


def soft_link(file: h5py.File, other: Path) -> None:
    file["features"] = h5py.SoftLink("/times")


def virtual(file: h5py.File, other: Path) -> None:
    layout = h5py.VirtualLayout((5, 256), np.float32)
    layout[...] = h5py.VirtualSource(str(other), "features", (5, 256), np.float32)
    file.create_virtual_dataset("features", layout)


def external_storage(file: h5py.File, other: Path) -> None:
    file.create_dataset("features", (5, 256), np.float32, external=[(str(other), 0, 5 * 256 * 4)])


def hollow(file: h5py.File, other: Path) -> None:
    file.create_dataset("features", (5_000_000_000, 256), np.float32, chunks=(1, 256))


@pytest.mark.parametrize("change", [external_link, soft_link, virtual, external_storage, hollow])
def test_features_that_lie_elsewhere_are_refused(change: Change, tmp_path: Path) -> None:
    path, other = tmp_path / "a.h5", tmp_path / "b.h5"
    for each in (path, other):
        write_features(each, made_features(5))
    with h5py.File(path, "r+") as file:
        del file["features"]
        change(file, other)
    with pytest.raises(StoreError, match=r"not followed|not opened|next to none") as caught:
        read_features(path)
    assert str(path) in caught.value.message
    with pytest.raises(StoreError, match=r"not followed|not opened|next to none"):
        list(read_flat_hdf5(_without_schema(path), "a", None))


def _without_schema(path: Path) -> Path:
    with h5py.File(path, "r+") as file:
        del file.attrs["schema"]
    return path


def test_links_in_an_alignment_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.align.h5"
    write_alignment(path, made_alignment())
    with h5py.File(path, "r+") as file:
        del file["sentences/text"]
        file["sentences/text"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(StoreError, match="not followed"):
        read_alignment(path)


def test_groups_in_circles_are_refused(tmp_path: Path) -> None:
    source, pack = tmp_path / "a.h5", tmp_path / "pack.h5"
    write_features(source, made_features(5))
    write_pack(pack, "features", [("sub/a", source)])
    with h5py.File(pack, "r+") as file:
        file["sub/again"] = file["sub"]
    with pytest.raises(StoreError, match="two places"):
        list(unpacked(pack))


@pytest.mark.parametrize("reads", ["open", "File"])
def test_what_the_system_refused_is_kept(reads: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.h5"
    write_features(path, made_features(5))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(h5py if reads == "File" else Path, reads, refuse)
    with pytest.raises(StoreError) as caught:
        read_features(path)
    assert caught.value.errno == errno.EIO


@pytest.mark.parametrize(
    ("name", "value"), [("video", 3), ("duration", "long"), ("truncated", 7), ("video_size", True)]
)
def test_attributes_of_another_type_are_refused(name: str, value: object, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_features(path, made_features(5))
    with h5py.File(path, "r+") as file:
        file.attrs[name] = value
    with pytest.raises(StoreError, match=f"{name} is"):
        read_features(path)

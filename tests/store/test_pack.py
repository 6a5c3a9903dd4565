"""Many files in one and back, byte for byte; by copying or by pointing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.alignments import empty_alignment, made_alignment
from tests.tiny import made_features
from vidalign.errors import StoreError, UsageError
from vidalign.store.alignments import write_alignment
from vidalign.store.features import read_features, write_features
from vidalign.store.kind import Kind, kind_of
from vidalign.store.pack import unpacked, write_pack
from vidalign.types import Alignment, Features
from vidalign.weights.recipes import get_recipe

RECIPE = get_recipe("mini-8fps")
HOW = pytest.mark.parametrize("virtual", [False, True], ids=["copied", "virtual"])


@pytest.fixture
def members(tmp_path: Path) -> list[tuple[str, Path]]:
    """Three features files: two in a folder, one without a clip."""
    named = {"sub/a": made_features(5), "sub/b": made_features(2, seed=4), "c": made_features(0)}
    for name, features in named.items():
        write_features(tmp_path / "f" / f"{name}.h5", features)
    return [(name, tmp_path / "f" / f"{name}.h5") for name in named]


def again(held: Features | Alignment, folder: Path) -> bytes:
    path = folder / "again.h5"
    if isinstance(held, Features):
        write_features(path, held)
    else:
        write_alignment(path, held)
    return path.read_bytes()


@HOW
def test_features_come_back_byte_for_byte(
    virtual: bool, members: list[tuple[str, Path]], tmp_path: Path
) -> None:
    pack = tmp_path / "packs" / "all.h5"
    pack.parent.mkdir()
    assert write_pack(pack, "features", members, virtual=virtual) == 3
    found = {member.name: again(member.held, tmp_path) for member in unpacked(pack)}
    assert found == {name: path.read_bytes() for name, path in members}


@HOW
def test_alignments_come_back_byte_for_byte(virtual: bool, tmp_path: Path) -> None:
    held = {"a": made_alignment(), "b": empty_alignment(), "c": replace(made_alignment(), similarity=None)}
    for name, alignment in held.items():
        write_alignment(tmp_path / f"{name}.align.h5", alignment)
    members = [(name, tmp_path / f"{name}.align.h5") for name in held]
    write_pack(tmp_path / "all.h5", "alignment", members, virtual=virtual)
    found = {member.name: again(member.held, tmp_path) for member in unpacked(tmp_path / "all.h5")}
    assert found == {name: path.read_bytes() for name, path in members}


@HOW
def test_any_program_can_read_it(virtual: bool, members: list[tuple[str, Path]], tmp_path: Path) -> None:
    write_pack(tmp_path / "all.h5", "features", members, virtual=virtual)
    with h5py.File(tmp_path / "all.h5") as f:
        assert np.array_equal(f["sub/a"]["features"][:], read_features(members[0][1]).features)
        assert f["sub/a"]["features"].is_virtual == virtual
        assert f["sub/b"]["times"].shape == (2, 2)
        assert f["sub/a"].attrs["backbone"] == "mini" and f.attrs["count"] == 3


def test_a_virtual_pack_moves_with_its_files_and_misses_them_loudly(
    members: list[tuple[str, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pack(tmp_path / "all.h5", "features", members, virtual=True)
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("f", "all.h5"):
        (tmp_path / name).rename(moved / name)
    monkeypatch.chdir("/")
    [a, *_] = [m.held for m in unpacked(moved / "all.h5") if m.name == "sub/a"]
    assert isinstance(a, Features) and np.array_equal(a.features, made_features(5).features)
    (moved / "f" / "sub" / "a.h5").unlink()
    with pytest.raises(StoreError, match=r"points to .*sub/a\.h5, which is not there"):
        list(unpacked(moved / "all.h5"))
    with h5py.File(moved / "all.h5") as f:
        assert np.isnan(f["sub/a/features"][:]).all()


def test_a_pack_is_reproducible(members: list[tuple[str, Path]], tmp_path: Path) -> None:
    for name in ("x.h5", "y.h5"):
        write_pack(tmp_path / name, "features", members)
    assert (tmp_path / "x.h5").read_bytes() == (tmp_path / "y.h5").read_bytes()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (made_features(2, backbone="other"), "backbone: mini / other"),
        (made_features(2, recipe=None), "recipe: mini-8fps / None"),
        (made_features(2, recipe=replace(RECIPE, stride=2.0)), '"stride":1.0,'),
        (made_features(2, weights_sha256="ab"), "weights: None / ab"),
        (made_features(2, 9), "width: 256 / 9"),
    ],
)
def test_what_was_made_otherwise_is_not_merged(
    changed: Features, said: str, members: list[tuple[str, Path]], tmp_path: Path
) -> None:
    write_features(tmp_path / "odd.h5", changed)
    with pytest.raises(UsageError, match="were made otherwise") as caught:
        write_pack(tmp_path / "all.h5", "features", [*members, ("odd", tmp_path / "odd.h5")])
    assert said in str(caught.value)
    assert not (tmp_path / "all.h5").exists()


@pytest.mark.parametrize("kind", ["features", "alignment"])
def test_one_broken_file_and_there_is_no_pack(
    kind: Kind, members: list[tuple[str, Path]], tmp_path: Path
) -> None:
    (tmp_path / "bad.h5").write_bytes(members[0][1].read_bytes()[:700])
    with pytest.raises(StoreError, match=r"bad\.h5|holds vidalign"):
        write_pack(tmp_path / "all.h5", kind, [("bad", tmp_path / "bad.h5"), *members])
    assert not list(tmp_path.glob("*all*"))


def test_a_pack_is_told_from_other_files(members: list[tuple[str, Path]], tmp_path: Path) -> None:
    write_pack(tmp_path / "all.h5", "features", members)
    with pytest.raises(StoreError, match="many files merged into one"):
        kind_of(tmp_path / "all.h5")
    with pytest.raises(StoreError, match=r"vidalign\.pack/1 is expected here|but vidalign\.pack/1"):
        list(unpacked(members[0][1]))

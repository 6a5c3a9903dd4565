"""Folders are looked at before any work; nothing is made in them by looking."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vidalign.batch.outputs import WAY_OUT, check_writable, in_the_way
from vidalign.errors import StoreError, UsageError


def test_a_folder_that_can_be_made_is_not_made_yet(tmp_path: Path) -> None:
    check_writable([tmp_path / "new" / "deep" / "a.h5", tmp_path / "b.h5"])
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot write into .*file/new: .*file is not a folder"):
        check_writable([tmp_path / "file" / "new" / "a.h5"])


def test_a_dangling_link_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(UsageError, match="link is not a folder"):
        check_writable([tmp_path / "link" / "a.h5"])


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(StoreError, match=f"no permission to write {tmp_path}"):
        check_writable([tmp_path / "new" / "a.h5"])


def test_a_link_is_written_where_it_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("shut", "open"):
        (tmp_path / name).mkdir()
    (tmp_path / "shut" / "x").symlink_to(tmp_path / "open" / "x")
    (tmp_path / "open" / "y").symlink_to(tmp_path / "shut" / "y")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "shut")
    check_writable([tmp_path / "shut" / "x"])
    with pytest.raises(StoreError, match=r"no permission to write .*shut"):
        check_writable([tmp_path / "open" / "y"])


def test_one_look_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[object] = []
    monkeypatch.setattr(os, "access", lambda path, mode: looks.append(path) or True)
    check_writable(tmp_path / f"{number}.h5" for number in range(100))
    assert looks == [tmp_path]


def test_what_to_do_about_a_file_that_cannot_be_read() -> None:
    with pytest.raises(StoreError) as told, in_the_way():
        raise StoreError("a.h5 is not an HDF5 file", hint="something else")
    assert (told.value.message, told.value.hint) == ("a.h5 is not an HDF5 file", WAY_OUT)

"""A file is there whole or not at all, whatever interrupts its writing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vidalign.errors import StoreError
from vidalign.store import atomic
from vidalign.store.atomic import atomic_path, write_text


def test_success_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    final = tmp_path / "new" / "folder" / "a.h5"
    with atomic_path(final) as temporary:
        assert temporary.parent == final.parent
        assert not final.exists()
        temporary.write_bytes(b"whole")
    assert final.read_bytes() == b"whole"
    assert list(final.parent.iterdir()) == [final]


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_any_interruption_keeps_the_old_file(tmp_path: Path, interruption: type[BaseException]) -> None:
    final = tmp_path / "a.txt"
    final.write_text("old")
    with pytest.raises(interruption), atomic_path(final) as temporary:
        temporary.write_text("half")
        raise interruption
    assert final.read_text() == "old"
    assert list(tmp_path.iterdir()) == [final]


def test_temporary_names_are_hidden_have_no_known_suffix_and_do_not_meet(tmp_path: Path) -> None:
    final = tmp_path / "a.h5"
    with atomic_path(final) as one, atomic_path(final) as two:
        assert one != two
        assert one.name.startswith(".")
        assert one.suffix != ".h5"


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(old)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_the_longest_name_still_fits(tmp_path: Path) -> None:
    final = tmp_path / ("\N{LATIN SMALL LETTER E WITH ACUTE}" * 127)
    write_text(final, "x")
    assert final.read_text() == "x"


def test_a_name_that_is_no_utf8(tmp_path: Path) -> None:
    final = tmp_path / os.fsdecode(b"caf\xe9.txt")
    write_text(final, "x")
    assert final.read_text() == "x"


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_text(tmp_path / "link", "x")
    assert (tmp_path / "real").read_text() == "x"
    assert (tmp_path / "link").is_symlink()


def test_what_is_no_plain_file_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    for name in ("fifo", "folder"):
        with pytest.raises(StoreError, match="not a plain file"):
            write_text(tmp_path / name, "x")
    assert (tmp_path / "fifo").is_fifo()


def test_a_file_as_folder_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"cannot write .*(Not a directory|File exists)"):
        write_text(tmp_path / "file" / "a.txt", "x")


def test_links_in_a_circle_are_explained(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(StoreError, match="cannot write"):
        write_text(tmp_path / "a", "x")


def test_the_content_is_on_the_disk_before_the_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = []
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (order.append("sync"), sync(handle)))
    monkeypatch.setattr(Path, "replace", lambda path, to: (order.append("replace"), replace(path, to)))
    write_text(tmp_path / "a.txt", "x")
    assert order == ["sync", "replace", "sync"]


def test_a_body_that_removes_the_temporary_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write"), atomic_path(tmp_path / "a") as temporary:
        temporary.unlink()


def test_leftovers_of_a_process_that_cannot_be_are_removed(tmp_path: Path) -> None:
    name = atomic._temporary_name("a.h5").replace(f"-{os.getpid()}-", "-9999999999-")
    (tmp_path / name).touch()
    assert atomic.remove_leftovers(tmp_path) == 1
    assert not list(tmp_path.iterdir())

"""Folders appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidalign.errors import StoreError
from vidalign.store.atomic import atomic_folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_folder_appears_with_its_files(tmp_path: Path) -> None:
    final = tmp_path / "deep" / "model"
    with atomic_folder(final) as new:
        (new / "a").write_text("1")
        assert not final.exists()
    assert names(final) == ["a"]
    assert names(final.parent) == ["model"]


def test_a_second_one_takes_the_place_of_the_first(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with atomic_folder(tmp_path / "model") as new:
            (new / name).write_text(name)
    assert names(tmp_path / "model") == ["b"]
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
def test_what_fails_leaves_all_as_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    final = tmp_path / "model"
    final.mkdir()
    (final / "old").touch()
    with pytest.raises(error), atomic_folder(final) as new:
        (new / "half").touch()
        raise error
    assert names(final) == ["old"]
    assert names(tmp_path) == ["model"]


def test_when_the_new_one_cannot_be_moved_the_old_one_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = tmp_path / "model"
    final.mkdir()
    (final / "old").touch()
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if (self / "new").exists():
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StoreError, match="Permission denied"), atomic_folder(final) as new:
        (new / "new").touch()
    assert names(final) == ["old"]
    assert names(tmp_path) == ["model"]


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for final in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError, match="cannot write"), atomic_folder(final):
            pytest.fail("the body must not run")

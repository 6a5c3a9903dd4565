from __future__ import annotations

from pathlib import Path

import pytest

from vidalign.errors import DataError, UsageError
from vidalign.evaluation.files import alignment_files, features_files, given_alignments


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_features_and_alignments_in_one_folder(tmp_path: Path) -> None:
    touch(tmp_path, "a.h5", "a.align.h5", "sub/-b_1.h5", "c.mp4.h5", "d.align.json", "notes.txt")
    features, alignments = features_files(tmp_path), alignment_files(tmp_path)
    assert features.find("a") == tmp_path / "a.h5"
    assert features.find("-b_1") == features.find("sub/-b_1") == tmp_path / "sub/-b_1.h5"
    assert features.find("c") == tmp_path / "c.mp4.h5"
    assert features.find("d") is None and features.find("notes") is None
    assert alignments.find("a") == tmp_path / "a.align.h5"
    assert alignments.find("d") == tmp_path / "d.align.json"
    assert alignments.find("c") is None


def test_the_path_goes_before_the_name_and_doubt_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "a.h5", "one/a.h5", "one/b.h5", "two/b.h5", "c.mp4.h5", "c.h5")
    found = features_files(tmp_path)
    assert found.find("a") == tmp_path / "a.h5"
    assert found.find("two/b") == tmp_path / "two/b.h5"
    for name in ("b", "c"):
        with pytest.raises(DataError, match=f"several files fit {name}"):
            found.find(name)


def test_named_files_may_have_any_suffix() -> None:
    found = given_alignments([Path("out/a.align.h5"), Path("b.json"), Path("c.h5")])
    assert found.find("a") == Path("out/a.align.h5")
    assert found.find("b") == Path("b.json") and found.find("c") == Path("c.h5")


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        features_files(tmp_path / "none")

"""A batch's notes lie beside its outputs, and nothing that walks a folder takes them for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.alignments import made_alignment
from tests.tiny import made_features
from vidalign.batch.export import find_sources
from vidalign.batch.runfile import Wanted, open_run
from vidalign.errors import StoreError
from vidalign.evaluation.files import alignment_files, features_files
from vidalign.store.alignments import read_alignment, write_alignment
from vidalign.store.atomic import create_text
from vidalign.store.features import write_features
from vidalign.store.records import FAILURE, RUNS, failure_path, read_record, write_record
from vidalign.training.data.sources import features_below


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A features file and an alignment among notes of every kind."""
    for task in ("extract", "align"):
        open_run(Wanted(tmp_path, task, dict)).close()  # type: ignore[arg-type]
    write_features(tmp_path / "a.h5", made_features())
    write_alignment(tmp_path / "a.align.h5", made_alignment())
    for name in ("b.h5", "b.align.h5", "c.mp4.h5"):
        write_record(failure_path(tmp_path / name), {"schema": "vidalign.error/1"})
    return tmp_path


def test_nothing_takes_a_note_for_an_output(folder: Path) -> None:
    assert [source.path.name for source in find_sources([folder], "alignment")] == ["a.align.h5"]
    assert [source.path.name for source in find_sources([folder], "features")] == ["a.h5"]
    assert list(alignment_files(folder).whole) == ["a"]
    assert list(features_files(folder).whole) == ["a"]
    assert list(features_below(folder)) == ["a"]


def test_a_note_given_as_an_alignment_is_refused_by_its_schema(folder: Path) -> None:
    for name, schema in (("run.json", "vidalign.run/1"), ("b.align.error.json", "vidalign.error/1")):
        with pytest.raises(StoreError, match=f"holds {schema}"):
            read_alignment(folder / name)


def test_names_of_notes(folder: Path) -> None:
    found = sorted(path.name for path in folder.glob("*.json"))
    assert found == ["b.align.error.json", "b.error.json", "c.mp4.error.json", "run-align.json", "run.json"]
    assert all(name in RUNS or name.endswith(FAILURE) for name in found)


def test_a_record_of_another_kind(folder: Path) -> None:
    assert read_record(folder / "gone.json", "x/1") is None
    assert read_record(folder / "a.h5" / "below a file", "x/1") is None
    with pytest.raises(StoreError, match=r"run.json holds vidalign.run/1, not x/1"):
        read_record(folder / "run.json", "x/1")
    with pytest.raises(StoreError, match="it is no JSON"):
        read_record(folder / "a.h5", "x/1")


def test_a_file_is_created_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "a.txt"
    assert create_text(path, "first")
    assert not create_text(path, "second")

    def no_links(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    assert not create_text(path, "third")
    assert path.read_text() == "first"
    assert create_text(tmp_path / "b.txt", "alone")
    assert sorted(each.name for each in tmp_path.rglob("*.txt")) == ["a.txt", "b.txt"]
    assert not list(tmp_path.rglob(".*"))

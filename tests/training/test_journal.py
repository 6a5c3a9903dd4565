"""The journal: whole lines, none twice."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.training.conftest import records
from vidalign.errors import StoreError
from vidalign.training import journal as rooms
from vidalign.training.journal import METRICS, open_journal


def test_records_are_on_disk_at_once(tmp_path: Path) -> None:
    with open_journal(tmp_path, 0) as journal:
        journal.write(1, {"loss": 0.5})
        journal.write(1, {"recall": 0.25}, "validation/")
        assert records(tmp_path) == [{"step": 1, "loss": 0.5}, {"step": 1, "validation/recall": 0.25}]


def test_what_is_no_number_is_null(tmp_path: Path) -> None:
    with open_journal(tmp_path, 0) as journal:
        journal.write(1, {"a": float("nan"), "b": float("inf"), "c": 1.0})
    assert records(tmp_path) == [{"step": 1, "a": None, "b": None, "c": 1.0}]


def test_a_new_run_begins_an_empty_journal(tmp_path: Path) -> None:
    (tmp_path / METRICS).write_text('{"step": 3}\n')
    with open_journal(tmp_path, 0):
        pass
    assert records(tmp_path) == []


def test_a_resumed_run_cuts_what_comes_after_its_step(tmp_path: Path) -> None:
    lines = [{"step": 0}, {"step": 5}, {"step": 5, "validation/x": 1}, {"step": 10}]
    (tmp_path / METRICS).write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 1')
    with open_journal(tmp_path, 5) as journal:
        journal.write(10, {"loss": 1.0})
    assert records(tmp_path) == [*lines[:3], {"step": 10, "loss": 1.0}]


def test_a_line_that_broke_off_is_cut(tmp_path: Path) -> None:
    (tmp_path / METRICS).write_text('{"step": 2}\n{"step": 4}')
    with open_journal(tmp_path, 4):
        pass
    assert records(tmp_path) == [{"step": 2}]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / METRICS).mkdir()
    with pytest.raises(StoreError), open_journal(tmp_path, 0):
        pass


class Board:
    """Stands for TensorBoard's writer."""

    def __init__(self, folder: str, purge_step: int) -> None:
        self.told: list[tuple[object, ...]] = [(folder, purge_step)]
        boards.append(self)

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.told.append((name, value, step))

    def close(self) -> None:
        self.told.append(("closed",))


boards: list[Board] = []


def test_tensorboard_is_told_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Board  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr(rooms, "find_spec", lambda name: name == "tensorboard")
    with open_journal(tmp_path, 7) as journal:
        journal.write(8, {"loss": 2.0})
    assert boards.pop().told == [(str(tmp_path / "tensorboard"), 8), ("loss", 2.0, 8), ("closed",)]

"""Training runs of the toy task."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training import toy
from vidalign.training.config import Configuration, read_config
from vidalign.training.jobs import TASKS


@pytest.fixture(autouse=True)
def toy_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy task is known in this process."""
    monkeypatch.setitem(TASKS, toy.NAME, "tests.training.toy:ToyJob")


@pytest.fixture
def toy_file(tmp_path: Path) -> Path:
    """A configuration of the toy task."""
    path = tmp_path / "toy.yaml"
    path.write_text(toy.CONFIG)
    return path


@pytest.fixture
def toy_config(toy_file: Path) -> Callable[..., Configuration]:
    """The toy configuration with changes: `toy_config("training.steps=3")`."""
    return lambda *changes: read_config(toy_file, changes)


def records(folder: Path) -> list[dict[str, Any]]:
    """The journal of a run."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]

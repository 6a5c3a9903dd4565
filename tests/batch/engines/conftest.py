"""The random model, the generated videos, a cluster in this process, and no thread that outlives a test."""

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.tiny import cli, clip_file, tiny, tiny_files
from vidalign.batch.engines import ray as engine
from vidalign.batch.engines.fleet import WorkerLostError
from vidalign.batch.engines.orders import Orders
from vidalign.batch.engines.ray import RayOptions, Worker
from vidalign.errors import VidalignError

__all__ = ["cli", "clip_file", "tiny", "tiny_files"]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """After each test every thread of its pipelines has ended."""
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("vidalign-")]


class Near:
    """A cluster of one worker in this process, which dies of the videos called so."""

    def __init__(self, ray: object, orders: Orders[Any], options: RayOptions) -> None:
        self._orders = orders

    def places(self) -> int:
        return 1

    def hire(self) -> tuple[Worker[Any], Any]:
        worker = Worker(self._orders)
        return worker, (worker.ready, ())

    def ask(self, worker: Worker[Any], task: Any) -> Any:
        return worker.do, (task,)

    def answered(self, tickets: list[Any], seconds: float) -> list[Any]:
        return tickets[:1]

    def collect(self, ticket: Any) -> Any:
        work, told = ticket
        if told and self._orders.entries(told[0])[0].name.startswith("deadly"):
            raise WorkerLostError("out of memory")
        answer = work(*told)
        if isinstance(answer, VidalignError):
            raise answer
        return answer or []

    def dismiss(self, worker: Worker[Any]) -> None:
        worker.close()


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny: Path) -> Path:
    """No Ray, and a folder to be in; gives it."""
    monkeypatch.setattr(engine, "connected", nullcontext)
    monkeypatch.setattr(engine, "RayCluster", Near)
    monkeypatch.chdir(tmp_path)
    return tmp_path

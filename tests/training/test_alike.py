"""Batches of what looks alike: every item once, the same order in every process, and after every stop."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from tests.training.pair import free_port, run_pair
from tests.training.test_resume import numbers, weights
from tests.training.toy import CONFIG, register
from vidalign.errors import ConfigError, DataError
from vidalign.training import alike
from vidalign.training.alike import AlikeStream, alike_order, stretches
from vidalign.training.checkpoint import Progress, read_state
from vidalign.training.config import Common, Configuration, LoopOptions, read_config
from vidalign.training.distributed import Ranks, joined, ranks_of_torchrun
from vidalign.training.jobs import Batch, Losses, Objective
from vidalign.training.place import Place
from vidalign.training.train import train

Toy = Callable[..., Configuration]
CPU = torch.device("cpu")
KINDS, EACH = 3, 4
ALIKE = (
    "training.alike=5", "training.steps=16", "training.accumulate=2", "training.batch=2", "data.items=14",
    "training.checkpoint_every=1", "training.log_every=3", "training.threads=1",
    "optimizer.learning_rate=0.5",
)  # fmt: skip
"""Epochs begin at 0, 3.5, 7, 10.5 and 14 steps."""
TOGETHER = (*ALIKE, "training.steps=6", "training.log_every=2")
"""For two processes: epochs begin at 0, 1.75, 3.5 and 5.25 steps."""


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def drawn(count: int, seed: int = 0) -> NDArray[np.float32]:
    return unit(np.random.default_rng(seed).standard_normal((count, 5)).astype(np.float32))


def groups(order: Sequence[int], batch: int, taken: int = 0) -> list[list[int]]:
    """The batches of an order."""
    cuts = [0, *range(batch - taken, len(order), batch), len(order)]
    return [list(order[a:b]) for a, b in pairwise(cuts)]


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 40),
    batch=st.integers(1, 6),
    more=st.integers(0, 5),
    taken=st.integers(0, 5),
    seed=st.integers(0, 99),
)
def test_every_item_is_there_once_and_near_the_first_of_its_batch(
    count: int, batch: int, more: int, taken: int, seed: int
) -> None:
    vectors, taken = drawn(count, seed), taken % batch
    order = alike_order(vectors, batch, batch + more, np.random.default_rng(seed), taken)
    assert sorted(order) == list(range(count))
    again = alike_order(vectors, batch, batch + more, np.random.default_rng(seed), taken)
    assert order.tolist() == again.tolist()
    left = set(range(count))
    for group in groups(order.tolist(), batch, taken):
        nearest = sorted(left, key=lambda item: -float(vectors[item] @ vectors[group[0]]))
        assert set(group) <= set(nearest[: batch + more])
        left -= set(group)


@pytest.mark.parametrize("block", [1, 2, 256])
def test_blocks_do_not_change_the_order(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.round(drawn(50) * 64) / 64
    usual = alike_order(vectors, 4, 9, np.random.default_rng(1))
    monkeypatch.setattr(alike, "_BLOCK", block)
    assert alike_order(vectors, 4, 9, np.random.default_rng(1)).tolist() == usual.tolist()


def test_a_batch_is_of_one_cluster_and_another_in_another_epoch() -> None:
    kinds = np.repeat(np.arange(6), 8)
    noise = 0.1 * np.random.default_rng(0).standard_normal((48, 6)).astype(np.float32)
    vectors = unit(np.eye(6, dtype=np.float32)[kinds] + noise)
    first, second = (alike_order(vectors, 4, 4, np.random.default_rng((3, e))).tolist() for e in range(2))
    for order in (first, second):
        assert all(len(set(kinds[group])) == 1 for group in groups(order, 4))
    assert {frozenset(g) for g in groups(first, 4)} != {frozenset(g) for g in groups(second, 4)}


def test_what_is_no_number_is_there_once_too() -> None:
    order = alike_order(np.full((9, 2), np.nan, np.float32), 2, 4, np.random.default_rng(0))
    assert sorted(order) == list(range(9))


@pytest.mark.parametrize(("items", "a_step"), [(7, 3), (6, 3), (12, 4), (3, 7), (5, 5)])
def test_the_stream_is_opened_anew_where_an_epoch_begins(items: int, a_step: int) -> None:
    def begun(step: int) -> bool:
        return any(position % items == 0 for position in range(step * a_step, (step + 1) * a_step))

    for start in range(6):
        found = list(stretches(range(start, 20), items, a_step))
        assert [step for part in found for step in part] == list(range(start, 20))
        assert [part.start for part in found[1:]] == [step for step in range(start + 1, 20) if begun(step)]
    assert list(stretches(range(4, 4), items, a_step)) == []


class Kinds(Objective):
    """Vectors are what the items are; in training mode there are none."""

    def forward(self, batch: Batch) -> Losses:
        raise NotImplementedError

    def vectors(self, batch: Batch) -> Tensor:
        assert not self.training and not torch.is_grad_enabled()
        return batch["kind"]


class Numbered:
    """Items of a few kinds, one after the other."""

    def __len__(self) -> int:
        return KINDS * EACH

    def item(self, epoch: int, index: int) -> tuple[int, int]:
        return epoch, index

    def collate(self, items: Sequence[tuple[int, int]]) -> dict[str, Tensor]:
        kinds = torch.eye(KINDS)[[index % KINDS for _, index in items]]
        return {"key": torch.tensor(items), "kind": kinds}


def stream(ranks: Ranks, progress: Progress, batch: int = EACH, objective: Any = None) -> AlikeStream:
    common = Common(task="toy", seed=2, training=LoopOptions(steps=9, batch=batch, alike=batch, workers=0))
    return AlikeStream(Numbered(), objective or Kinds(), common, Place(CPU, "float32", ranks), progress)


def seen(ranks: Ranks, steps: int, batch: int = EACH) -> list[list[list[int]]]:
    """Epoch and index of every item of this process's batches."""
    return [part["key"].tolist() for part in stream(ranks, Progress(), batch).batches(range(steps))]


class StoppedError(Exception):
    """A run was left after a step."""


def stop(done: int, steps: int, note: str, first: int) -> None:
    """Leave a run that has done so many steps."""
    if done >= first:
        raise StoppedError


def tell(file: str, *ports: str) -> None:
    """A process of a group: a run, the same stopped and gone on with, then what it sees as JSON."""
    torch.set_num_threads(1)
    register()
    config, folder = read_config(Path(file), TOGETHER), Path(file).parent
    for name, left, port in zip(("whole", "cut", "cut"), (9, 3, 9), ports, strict=False):
        os.environ["MASTER_PORT"] = port
        with contextlib.suppress(StoppedError):
            train(config, folder / name, watch=partial(stop, first=left))
        assert not threads_of_the_group()
    os.environ["MASTER_PORT"] = ports[-1]
    ranks = ranks_of_torchrun()
    with joined(ranks, CPU):
        assert threads_of_the_group()
        sys.stdout.write(json.dumps(seen(ranks, 6)))


def threads_of_the_group() -> list[str]:
    """Those that talk with the other process."""
    names = [file.read_text() for file in Path("/proc/self/task").glob("*/comm")]
    return [name for name in names if "gloo" in name or "tcpstore" in name]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """The folder of the runs of two processes, and what each of them saw."""
    file = tmp_path_factory.mktemp("two") / "toy.yaml"
    file.write_text(CONFIG)
    ports = [str(free_port()) for _ in range(4)]
    program = f"from tests.training import test_alike; test_alike.tell({str(file)!r}, *{ports})"
    ends = run_pair([sys.executable, "-c", program])
    assert [code for code, _, _ in ends] == [0, 0], ends
    return file.parent, [json.loads(out) for _, out, _ in ends]


def check(batches: Sequence[Sequence[Sequence[int]]], epochs: int) -> None:
    keys = sorted(tuple(key) for batch in batches for key in batch)
    assert keys == [(epoch, index) for epoch in range(epochs) for index in range(KINDS * EACH)]
    assert all(len({index % KINDS for _, index in batch}) == 1 for batch in batches)


def test_batches_of_a_process_are_alike() -> None:
    alone = seen(Ranks(), 6)
    check(alone, 2)
    assert alone[:3] != [[[0, index] for _, index in batch] for batch in alone[3:]]


def test_two_processes_share_one_order(told: tuple[Path, list[Any]]) -> None:
    first, second = told[1]
    check([*first, *second], 4)
    together = [batch for pair in zip(first, second, strict=True) for batch in pair]
    assert together == seen(Ranks(), 12)


def test_two_processes_that_are_stopped_go_on_within_an_epoch(told: tuple[Path, list[Any]]) -> None:
    whole, cut = told[0] / "whole", told[0] / "cut"
    assert weights(cut) == weights(whole)
    assert numbers(cut) == numbers(whole) and len(numbers(whole)) == 3


def test_a_batch_over_the_seam_has_some_of_each_epoch() -> None:
    parts = seen(Ranks(), 5, batch=5)
    assert [sum(epoch == 0 for epoch, _ in part) for part in parts] == [5, 5, 2, 0, 0]
    found = [tuple(key) for part in parts for key in part]
    assert sorted(found[:12]) == [(0, index) for index in range(12)]
    assert sorted(found[12:24]) == [(1, index) for index in range(12)]
    assert found[24][0] == 2


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_that_is_stopped_after_every_step_ends_as_one_that_is_not(
    workers: int, toy_config: Toy, tmp_path: Path
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(toy_config(*ALIKE), whole)
    config, sittings = toy_config(*ALIKE, f"training.workers={workers}"), range(4, 10)
    with pytest.raises(StoppedError):
        train(config, cut, watch=partial(stop, first=sittings.start))
    for done in sittings:
        with pytest.raises(StoppedError):
            train(config, cut, watch=partial(stop, first=done + 1))
    assert train(config, cut).progress.step == 16
    assert weights(cut) == weights(whole)
    assert numbers(cut) == numbers(whole)
    state = read_state(cut, config, world=1)
    assert state is not None and state.progress.epoch == 4
    assert sorted(state.progress.order) == list(range(14))


def test_the_order_of_an_epoch_comes_from_the_network_at_its_beginning(
    toy_config: Toy, tmp_path: Path
) -> None:
    def order(folder: Path, *changes: str) -> list[int]:
        config = toy_config(*ALIKE, "training.steps=6", *changes)
        train(config, folder)
        state = read_state(folder, config, world=1)
        assert state is not None and state.progress.epoch == 1
        return state.progress.order

    usual = order(tmp_path / "usual")
    assert order(tmp_path / "same") == usual
    assert order(tmp_path / "other", "optimizer.learning_rate=0.1") != usual


def test_what_cannot_be() -> None:
    with pytest.raises(ConfigError, match="alike is 3, fewer than the 4 of a batch"):
        LoopOptions(steps=1, batch=4, alike=3)
    with pytest.raises(ConfigError, match="alike must not be below 0"):
        LoopOptions(steps=1, alike=-1)
    with pytest.raises(ConfigError, match="12 videos do not fill a batch of 13 in each process"):
        stream(Ranks(), Progress(), batch=13)
    with pytest.raises(ConfigError, match="task toy cannot tell what looks alike"):
        stream(Ranks(), Progress(), objective=Objective())
    with pytest.raises(DataError, match="there were 3 videos when the run began its epoch, now 12"):
        stream(Ranks(), Progress(epoch=0, order=[0, 1, 2]))

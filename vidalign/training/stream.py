"""The endless stream of items: what a step sees depends on the seed and the step's number alone."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from vidalign.training.distributed import Ranks
from vidalign.training.jobs import Batch, TrainingSet

Key = tuple[int, int]
"""Epoch and index of an item."""
Order = Callable[[int], NDArray[np.int64]]
"""The indices of all items in the order in which an epoch has them."""


def shuffled(items: int, seed: int) -> Order:
    """Each epoch is a permutation of (seed, epoch)."""
    return lambda epoch: np.random.default_rng((seed, epoch)).permutation(items)


class BatchKeys(Sampler[list[Key]]):
    """Keys of this process's batches from one step to another; epochs follow each other without a seam.

    Consecutive stretches of the stream go to a step, inside it to its parts of accumulation, inside those to
    the processes.
    """

    def __init__(
        self, items: int, batch: int, order: Order, ranks: Ranks, steps: range, accumulate: int = 1
    ) -> None:
        self.items, self.batch, self.order = items, batch, order
        self.ranks = ranks
        self.parts = range(steps.start * accumulate, steps.stop * accumulate)

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[list[Key]]:
        epoch, order = -1, np.empty(0, np.int64)
        for part in self.parts:
            begin = (part * self.ranks.world + self.ranks.rank) * self.batch
            keys = []
            for position in range(begin, begin + self.batch):
                here, place = divmod(position, self.items)
                if here != epoch:
                    epoch, order = here, self.order(here)
                keys.append((here, int(order[place])))
            yield keys


class _Keyed(Dataset[Any]):
    """A training set under keys of (epoch, index)."""

    def __init__(self, data: TrainingSet[Any]) -> None:
        self.data = data

    def __getitem__(self, key: Key) -> Any:
        return self.data.item(*key)


def open_batches(
    data: TrainingSet[Any], keys: Iterable[list[Key]], workers: int, device: torch.device
) -> Iterator[Batch]:
    """Batches in the order of `keys`, made by `workers` processes (0: by this one).

    Nothing is drawn from torch's global generator, so that a stream may be opened between any two steps.
    """
    collate: Any = data.collate
    forked = workers and sys.platform == "linux"
    loader: DataLoader[Any] = DataLoader(
        _Keyed(data),
        batch_sampler=keys,
        collate_fn=collate,
        num_workers=workers,
        generator=torch.Generator(),
        worker_init_fn=_leave_signals_to_the_parent,
        prefetch_factor=4 if workers else None,
        pin_memory=device.type == "cuda",
        multiprocessing_context="fork" if forked else None,
    )
    with warnings.catch_warnings():  # of threads that may hold a lock; torch's own hold none
        warnings.filterwarnings("ignore", ".*use of fork.*", DeprecationWarning)
        return iter(loader)


def _leave_signals_to_the_parent(worker: int) -> None:
    """Ctrl-C and batch systems signal the whole group; the parent ends its workers when it has saved."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on the device; from pinned memory without waiting."""
    if device.type == "cpu":
        return batch
    return {name: value.to(device, non_blocking=True) for name, value in batch.items()}


def fixed_batches(data: TrainingSet[Any], batch: int, limit: int | None = None) -> Iterator[Batch]:
    """Every item once, in order and as epoch 0 has them, for validation."""
    count = len(data) if limit is None else min(limit, len(data))
    for begin in range(0, count, batch):
        items: Sequence[Any] = [data.item(0, index) for index in range(begin, min(begin + batch, count))]
        yield data.collate(items)

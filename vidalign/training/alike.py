"""Batches of videos that look alike, drawn anew in each epoch (VideoCLIP, Xu et al., EMNLP 2021)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from vidalign.errors import ConfigError, DataError
from vidalign.training.checkpoint import Progress
from vidalign.training.config import Common
from vidalign.training.distributed import mean_over_ranks, tensor_from_first
from vidalign.training.jobs import Batch, Embeds, Objective, TrainingSet
from vidalign.training.place import Place
from vidalign.training.stream import BatchKeys, open_batches, to_device

_LOG = logging.getLogger("vidalign.training")
_BLOCK = 256
"""Videos that are compared with all others at once."""


def alike_order(
    vectors: NDArray[np.float32], batch: int, candidates: int, draw: np.random.Generator, taken: int = 0
) -> NDArray[np.int64]:
    """Every one of N videos once, of vectors (N, C): batches of one that is drawn from all that are left, and
    others drawn from the `candidates` nearest to it by dot product, itself among them, that are left.

    `taken` places of the first batch are not this epoch's. The last batches have what the others left.
    """
    left = draw.permutation(len(vectors))
    order: list[NDArray[np.int64]] = []
    size = batch - taken
    while len(left):
        free = np.ones(len(left), np.bool_)
        for place, row in enumerate(vectors[left[:_BLOCK]] @ vectors[left].T):
            if not free[place]:
                continue
            free[place] = False
            near = _nearest(row, free, candidates - 1)
            others = draw.choice(near, min(size - 1, len(near)), replace=False)
            free[others] = False
            order.append(left[[place, *others]])
            size = batch
        left = left[free]
    return np.concatenate(order) if order else left


def _nearest(scores: NDArray[np.float32], free: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    """Places of the `count` highest scores among those that are free, rising."""
    count = min(count, int(free.sum()))
    scores = np.where(free, scores, -np.inf)
    return np.sort(np.argpartition(scores, len(scores) - count)[len(scores) - count :]) if count else _NONE


_NONE = np.empty(0, np.int64)


def stretches(steps: range, items: int, items_a_step: int) -> Iterator[range]:
    """The steps, cut before each that sees the beginning of an epoch of so many items."""
    begin = steps.start
    while begin < steps.stop:
        epoch = -(-(begin + 1) * items_a_step // items)
        end = min(steps.stop, epoch * items // items_a_step)
        yield range(begin, end)
        begin = end


class AlikeStream:
    """The stream of a run in which each batch of each process is of videos that look alike.

    It is opened anew where an epoch begins: there each video gets a vector from the network as it is. The
    order that follows from the vectors is kept in `progress`, for a run that goes on within the epoch.
    """

    def __init__(
        self, data: TrainingSet[Any], objective: Objective, common: Common, place: Place, progress: Progress
    ) -> None:
        if not isinstance(objective, Embeds):
            raise ConfigError(f"task {common.task} cannot tell what looks alike", hint="leave alike out")
        options, processes = common.training, place.ranks.world
        if len(data) < options.batch * processes:
            raise ConfigError(
                f"{len(data)} videos do not fill a batch of {options.batch} in each process ({processes})",
                hint="leave training.alike out, or lower training.batch",
            )
        if progress.order and len(progress.order) != len(data):
            raise DataError(
                f"there were {len(progress.order)} videos when the run began its epoch, now {len(data)}",
                hint="bring the others back, or use --overwrite to start anew",
            )
        self._data, self._objective, self._embed = data, objective, objective.vectors
        self._options, self._seed = options, common.seed
        self._place, self._progress = place, progress

    def batches(self, steps: range) -> Iterator[Batch]:
        """This process's batches of the steps."""
        data, options, place = self._data, self._options, self._place
        for stretch in stretches(steps, len(data), options.items_a_step(place.ranks.world)):
            order = self._orders(stretch.start).__getitem__
            keys = BatchKeys(len(data), options.batch, order, place.ranks, stretch, options.accumulate)
            yield from open_batches(data, keys, options.workers, place.device)

    def _orders(self, step: int) -> dict[int, NDArray[np.int64]]:
        """Of the epochs that a step sees; the last of them is kept."""
        progress, items = self._progress, self._options.items_a_step(self._place.ranks.world)
        first, last = step * items // len(self._data), ((step + 1) * items - 1) // len(self._data)
        orders = {}
        for epoch in range(first, last + 1):
            if epoch != progress.epoch:
                progress.order, progress.epoch = self._drawn(epoch).tolist(), epoch
            orders[epoch] = np.array(progress.order, np.int64)
        return orders

    def _drawn(self, epoch: int) -> Tensor:
        """The order (N,) of an epoch, the same in every process."""
        options, ranks, count = self._options, self._place.ranks, len(self._data)
        if ranks.first:
            _LOG.info("epoch %d: comparing %d videos, for batches of those that look alike", epoch + 1, count)
        vectors = mean_over_ranks(self._vectors(epoch), ranks)
        order = torch.empty(count, dtype=torch.int64)
        if ranks.first:
            unit = F.normalize(vectors, dim=1).cpu().numpy()
            draw = np.random.default_rng((self._seed, epoch))
            taken = epoch * count % options.batch
            order = torch.from_numpy(alike_order(unit, options.batch, options.alike, draw, taken))
        return tensor_from_first(order.to(self._place.device), ranks)

    def _vectors(self, epoch: int) -> Tensor:
        """Of all videos (N, C), of the epoch's items; zeros for those that are another process's share."""
        count, batch, place = len(self._data), self._options.batch, self._place
        begins = range(place.ranks.rank * batch, count, place.ranks.world * batch)
        keys = [[(epoch, index) for index in range(b, min(b + batch, count))] for b in begins]
        parts = open_batches(self._data, keys, self._options.workers, place.device)
        self._objective.eval()
        with torch.no_grad(), place.arithmetic():
            found = torch.cat([self._embed(to_device(part, place.device)).float() for part in parts])
        self._objective.train()
        vectors = found.new_zeros(count, found.shape[1])
        vectors[[index for part in keys for _, index in part]] = found
        return vectors

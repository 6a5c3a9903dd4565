"""What a step sees depends on the seed and its number alone."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import pytest
import torch

from tests.training.toy import Points, ToyPoints
from vidalign.training.distributed import Ranks
from vidalign.training.stream import BatchKeys, Key, fixed_batches, open_batches, shuffled


def keys(
    start: int, stop: int, *, items: int = 7, seed: int = 1, rank: int = 0, world: int = 1, parts: int = 1
) -> list[list[Key]]:
    ranks = Ranks(rank, world)
    return list(BatchKeys(items, 3, shuffled(items, seed), ranks, range(start, stop), parts))


def test_every_epoch_holds_every_item_once() -> None:
    seen = Counter(chain.from_iterable(keys(0, 7)))
    assert seen == Counter({(epoch, index): 1 for epoch in range(3) for index in range(7)})


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    order = [index for _, index in chain.from_iterable(keys(0, 7))]
    assert order[:7] != order[7:14]
    assert keys(0, 7) != keys(0, 7, seed=2)


def test_a_later_start_sees_what_the_whole_run_would() -> None:
    assert keys(4, 9) == keys(0, 9)[4:]
    assert keys(2, 5, parts=2) == keys(0, 5, parts=2)[4:]


def test_processes_share_a_step_and_together_see_what_one_would() -> None:
    first, second = keys(0, 5, rank=0, world=2), keys(0, 5, rank=1, world=2)
    together = [batch for pair in zip(first, second, strict=True) for batch in pair]
    assert together == keys(0, 10)


def test_a_batch_may_be_larger_than_an_epoch() -> None:
    assert keys(0, 1, items=2)[0][2][0] == 1


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_do_not_depend_on_the_number_of_workers(workers: int) -> None:
    data = ToyPoints(Points(), seed=3)
    order = BatchKeys(len(data), 4, shuffled(len(data), 3), Ranks(), range(2, 8))
    before = torch.get_rng_state()
    batches = list(open_batches(data, order, workers, torch.device("cpu")))
    assert torch.equal(torch.get_rng_state(), before)
    expected = [data.collate([data.item(*key) for key in part]) for part in order]
    assert len(batches) == 6
    for mine, theirs in zip(batches, expected, strict=True):
        assert torch.equal(mine["x"], theirs["x"])


def test_validation_sees_every_item_once_in_order() -> None:
    data = ToyPoints(Points(items=5), seed=3)
    batches = list(fixed_batches(data, 2))
    assert [len(batch["y"]) for batch in batches] == [2, 2, 1]
    assert torch.equal(batches[1]["y"], data.collate([data.item(0, 2), data.item(0, 3)])["y"])

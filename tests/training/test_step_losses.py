"""Seconds against steps, and steps in order against other orders, by hand and in plain loops."""

from __future__ import annotations

import math

import pytest
import torch

from vidalign.aligners.decoders.soft.dtw import soft_dtw
from vidalign.aligners.decoders.soft.otam import soft_otam
from vidalign.training.losses.sequence import Distance, cosine_distances
from vidalign.training.losses.steps import (
    order_of_steps,
    other_sequences,
    seconds_by_steps,
    shuffled_frames,
)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_seconds_and_steps_by_hand() -> None:
    seconds, steps = torch.tensor([[2.0, 0.0], [0.0, -1.0]]), torch.tensor([[1.0, 1.0]])
    truth = torch.tensor([[True], [True]])
    wanted = (math.log1p(math.exp(-2)) + math.log1p(math.exp(1))) / 2
    assert seconds_by_steps(seconds, steps, truth).item() == pytest.approx(wanted)
    wanted = (math.log1p(math.exp(2)) + math.log1p(math.exp(-1))) / 2
    assert seconds_by_steps(seconds, steps, ~truth).item() == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("sequence", "number", "wanted"),
    [([4, 4, 4], 31, 0), ([7], 31, 0), ([1, 2], 31, 1), ([1, 2, 1], 31, 2), ([0, 1, 2, 3, 4], 31, 31)],
)
def test_other_sequences_differ_in_their_steps(sequence: list[int], number: int, wanted: int) -> None:
    steps = torch.tensor(sequence)
    orders = other_sequences(steps, number)
    assert orders.shape == (wanted, len(sequence))
    assert all(sorted(order) == list(range(len(sequence))) for order in orders.tolist())
    made = {tuple(steps[order].tolist()) for order in orders}
    assert len(made) == wanted and tuple(sequence) not in made


def test_frames_follow_their_steps_and_are_shuffled_within() -> None:
    stretch = torch.tensor([0] * 6 + [1] + [2] * 5)
    orders = torch.tensor([[2, 0, 1], [1, 2, 0]])
    found = shuffled_frames(stretch, orders, torch.Generator().manual_seed(0))
    assert stretch[found].tolist() == [[2] * 5 + [0] * 6 + [1], [1] + [2] * 5 + [0] * 6]
    assert found.sort(1).values.tolist() == [list(range(12))] * 2
    assert found[0, 5:11].tolist() != list(range(6))
    again = shuffled_frames(stretch, orders, torch.Generator().manual_seed(0))
    assert torch.equal(found, again)


@pytest.mark.parametrize("distance", ["dtw", "otam"])
def test_the_term_is_that_of_distances_one_by_one(distance: Distance) -> None:
    steps, frames = random(3, 6), random(7, 6, seed=1)
    orders = torch.stack([torch.randperm(7, generator=torch.Generator().manual_seed(n)) for n in range(4)])
    far = []
    for order in ([*range(7)], *orders.tolist()):
        cost = cosine_distances(steps, frames[order])[None]
        both = soft_otam(cost) + soft_otam(cost.mT) if distance == "otam" else soft_dtw(cost)
        far.append(-both.item())
    wanted = -math.log(math.exp(far[0]) / sum(map(math.exp, far)))
    assert order_of_steps(steps, frames, orders, distance, 0.1).item() == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("distance", ["dtw", "otam"])
def test_frames_in_the_order_of_their_steps_cost_less(distance: Distance) -> None:
    steps, stretch = random(4, 16), torch.tensor([0, 0, 1, 1, 1, 2, 3, 3])
    orders = other_sequences(torch.arange(4), 20, torch.Generator().manual_seed(0))
    mixed = shuffled_frames(stretch, orders, torch.Generator().manual_seed(0))
    right = order_of_steps(steps, steps[stretch] + 0.1, mixed, distance, 0.1)
    wrong = order_of_steps(steps[[2, 0, 3, 1]], steps[stretch] + 0.1, mixed, distance, 0.1)
    assert right < math.log(21) < wrong

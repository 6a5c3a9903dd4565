"""Clips with captions, in order against other orders, and by transport."""

from __future__ import annotations

import json
import math
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vidalign.aligners.decoders.soft.dtw import soft_dtw
from vidalign.aligners.decoders.soft.otam import soft_otam
from vidalign.training.losses.clip_caption import clip_caption, top_share
from vidalign.training.losses.sequence import (
    Distance,
    cosine_distances,
    other_orders,
    pick_evenly,
    sequence_contrast,
)
from vidalign.training.losses.transport import blocks, rectified, token_similarity, transported


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_clips_and_captions_by_hand() -> None:
    scores = torch.tensor([[2.0, 1.0], [0.0, 3.0]])
    to_text = (math.log1p(math.exp(-1)) + math.log1p(math.exp(-3))) / 2
    to_video = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-2))) / 2
    assert clip_caption(scores).item() == pytest.approx(to_text + to_video)
    assert top_share(scores).item() == 1
    assert top_share(scores.flip(0)).item() == 0
    half = torch.full((2, 2), 0.5)
    shared = -F.log_softmax(scores, 1).mean() - F.log_softmax(scores.T, 1).mean()
    assert clip_caption(scores, half).item() == pytest.approx(shared.item())


def test_distances_are_the_reference_s(golden: Path) -> None:
    expected = np.array(json.loads((golden / "tempclr_dist.json").read_text())["cos_sim"])
    text = torch.from_numpy(np.sin(1.1 * np.arange(15)).reshape(3, 5))
    video = torch.from_numpy(np.cos(0.9 * np.arange(20)).reshape(4, 5))
    np.testing.assert_allclose(1 - cosine_distances(text, video).numpy(), expected, atol=1e-6)


def test_clips_are_picked_evenly_of_videos_that_have_enough() -> None:
    apart = torch.zeros(3, 9, dtype=torch.bool)
    apart[0, [0, 2, 3, 5, 6, 8]] = True
    apart[1, :2] = True
    apart[2] = True
    videos, clips = pick_evenly(apart, 3)
    assert videos.tolist() == [0, 2]
    assert clips.tolist() == [[0, 3, 8], [0, 4, 8]]
    assert pick_evenly(apart[1:2], 3)[1].shape == (0, 3)


@pytest.mark.parametrize(("count", "number"), [(3, 5), (5, 31), (2, 1)])
def test_other_orders_differ_from_each_other_and_from_the_order(count: int, number: int) -> None:
    found = {tuple(row) for row in other_orders(count, number).tolist()}
    assert len(found) == number
    assert found <= set(permutations(range(count))) - {tuple(range(count))}
    fixed = [other_orders(5, 7, torch.Generator().manual_seed(1)).tolist() for _ in range(2)]
    assert fixed[0] == fixed[1]


@pytest.mark.parametrize("distance", ["dtw", "otam"])
def test_the_contrast_is_that_of_distances_one_by_one(distance: Distance) -> None:
    text, video, orders = random(2, 4, 6), random(2, 4, 6, seed=1), other_orders(4, 5)
    found = sequence_contrast(text, video, orders, distance, 0.1)
    for v in range(2):
        far = []
        for order in ([0, 1, 2, 3], *orders.tolist()):
            cost = cosine_distances(text[v][order], video[v])[None]
            both = soft_otam(cost) + soft_otam(cost.mT) if distance == "otam" else soft_dtw(cost)
            far.append(-both.item())
        assert found[v].item() == pytest.approx(
            -math.log(math.exp(far[0]) / sum(map(math.exp, far))), abs=1e-5
        )


@pytest.mark.parametrize("distance", ["dtw", "otam"])
def test_what_is_in_order_costs_less(distance: Distance) -> None:
    video, orders = random(1, 5, 16), other_orders(5, 31)
    right = sequence_contrast(video + 0.1, video, orders, distance, 0.1)
    wrong = sequence_contrast(video[:, [3, 1, 4, 0, 2]], video, orders, distance, 0.1)
    assert right < math.log(32) < wrong


def test_tokens_find_each_other_and_padding_says_nothing() -> None:
    video, text = random(2, 3, 8), random(3, 4, 8, seed=1)
    seen, said = torch.ones(2, 3, dtype=torch.bool), torch.ones(3, 4, dtype=torch.bool)
    said[1, 2:] = False
    found = token_similarity(video, seen, text, said, 0.1)
    shorter = token_similarity(video, seen, text[1:2, :2], said[1:2, :2], 0.1)
    torch.testing.assert_close(found[:, 1:2], shorter)
    cosines = F.normalize(video[0], dim=-1) @ F.normalize(text[1, :2], dim=-1).T
    soft = [0.1 * (cosines / 0.1).exp().mean(dim).log().mean() for dim in (0, 1)]
    assert found[0, 1].item() == pytest.approx(sum(soft).item() / 2, abs=1e-5)  # type: ignore[union-attr]
    sharp = token_similarity(video, seen, text, said, 1e-3)[0, 1]
    assert sharp.item() == pytest.approx(
        (cosines.amax(0).mean() + cosines.amax(1).mean()).item() / 2, abs=1e-2
    )


def test_transport_gains_what_a_sequence_has_in_any_order() -> None:
    near = torch.eye(4)[None] - 0.2
    shuffled = near[:, [2, 0, 3, 1]]
    gains = transported(torch.stack([near, shuffled, torch.zeros(1, 4, 4)]), 0.3, 0.05, 50)
    assert gains.shape == (3, 1)
    assert gains[0] == pytest.approx(gains[1].item(), abs=1e-5)
    assert gains[0] > gains[2] + 0.5
    similarity = random(1, 4, 4).requires_grad_()
    transported(similarity, 0.3, 0.1, 20).sum().backward()
    assert similarity.grad is not None and (similarity.grad >= 0).all()


def test_blocks_are_the_pairs_of_sequences() -> None:
    similarity = torch.arange(36.0).view(6, 6)
    found = blocks(similarity, 3)
    assert found.shape == (2, 2, 3, 3)
    torch.testing.assert_close(found[1, 0], similarity[3:, :3])


def test_rectified_targets_share_out_what_transport_finds() -> None:
    similarity = torch.tensor([[0.9, 0.8, 0.0], [0.8, 0.9, 0.0], [0.0, 0.0, 0.9]])
    targets = rectified(similarity, 0.3, 0.1, 50)
    torch.testing.assert_close(targets.sum(1), torch.ones(3))
    torch.testing.assert_close(targets.sum(0), torch.ones(3), atol=1e-3, rtol=0)
    assert targets[0, 1] > 0.05 > targets[0, 2]
    assert (targets.diagonal() > 0.7).all()
    torch.testing.assert_close(rectified(similarity, 0.0, 0.1, 5), torch.eye(3))

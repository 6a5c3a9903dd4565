"""The soft decoders: sums over all paths, limits, gradients, padding, and the reference's numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from tests.aligners.paths import cost_of, matrices, placings, runs, soft_sum, subsets, warpings
from vidalign.aligners.decoders.drop_dtw import drop_dtw
from vidalign.aligners.decoders.dtw import dtw
from vidalign.aligners.decoders.otam import otam, otam_both
from vidalign.aligners.decoders.soft.drop_dtw import LearnedDrop, percentile_drop, soft_drop_dtw
from vidalign.aligners.decoders.soft.dtw import soft_dtw
from vidalign.aligners.decoders.soft.otam import soft_otam, soft_otam_both
from vidalign.aligners.decoders.soft.steps import soft_steps
from vidalign.aligners.decoders.soft.transport import prompt_bucket, sinkhorn_plan
from vidalign.aligners.decoders.soft.viterbi import soft_viterbi, time_prior
from vidalign.aligners.decoders.steps import ordered_steps
from vidalign.aligners.decoders.transport import sinkhorn
from vidalign.aligners.decoders.viterbi import Prior, viterbi
from vidalign.errors import DataError

Soft = Callable[..., Tensor]
METHODS: dict[str, tuple[Soft, Callable[[np.ndarray], float]]] = {
    "dtw": (soft_dtw, dtw),
    "otam": (soft_otam, otam),
    "otam both ways": (soft_otam_both, otam_both),
    "drop-dtw": (
        lambda c, *masks, **how: soft_drop_dtw(c, 0.3, 0.4, *masks, **how),
        lambda c: drop_dtw(c, 0.3, 0.4),
    ),
    "steps": (
        lambda c, *masks, **how: soft_steps(c, *masks, background=0.2, **how),
        lambda c: ordered_steps(c, background=0.2).distance,
    ),
    "runs": (
        lambda c, *masks, **how: soft_steps(c, *masks, runs=True, background=0.5, **how),
        lambda c: ordered_steps(c, runs=True, background=0.5).distance,
    ),
    "viterbi": (lambda c, *masks, **how: soft_viterbi(c, 0.3, *masks, **how), lambda c: viterbi(c, 0.3)),
    "viterbi, distinct": (
        lambda c, *masks, **how: soft_viterbi(c, 0.3, *masks, distinct=True, **how),
        lambda c: viterbi(c, 0.3, distinct=True),
    ),
}
EACH = pytest.mark.parametrize(("soft", "hard"), METHODS.values(), ids=METHODS.keys())
SIZES = ((4, 6), (3, 5), (2, 4))
GAMMA = 0.5


@pytest.fixture
def batch() -> tuple[Tensor, Tensor, Tensor]:
    """Costs (3, 4, 6) of three sizes and the masks of their padding, which is not a number."""
    cost = torch.rand(3, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rows, columns = (torch.tensor([size[n] for size in SIZES]) for n in (0, 1))
    row_padding = torch.arange(4) >= rows[:, None]
    column_padding = torch.arange(6) >= columns[:, None]
    cost[row_padding[:, :, None] | column_padding[:, None]] = torch.nan
    return cost, row_padding, column_padding


def alone(cost: Tensor) -> list[np.ndarray]:
    return [cost[b, :k, :t].numpy() for b, (k, t) in enumerate(SIZES)]


@EACH
def test_without_gamma_it_is_the_cheapest_path(
    soft: Soft, hard: Callable[[np.ndarray], float], batch: tuple[Tensor, Tensor, Tensor]
) -> None:
    found = soft(*batch, gamma=0.0)
    np.testing.assert_allclose(found, [hard(cost) for cost in alone(batch[0])], rtol=1e-12)
    assert (soft(*batch, gamma=GAMMA) <= found).all()
    np.testing.assert_allclose(soft(*batch, gamma=1e-4), found, atol=1e-3)


@EACH
def test_padding_changes_nothing(
    soft: Soft, hard: Callable[[np.ndarray], float], batch: tuple[Tensor, Tensor, Tensor]
) -> None:
    singly = [soft(torch.from_numpy(cost)[None], gamma=GAMMA) for cost in alone(batch[0])]
    torch.testing.assert_close(soft(*batch, gamma=GAMMA), torch.cat(singly))
    leaf = batch[0].clone().requires_grad_()
    soft(leaf, *batch[1:], gamma=GAMMA).sum().backward()
    assert leaf.grad is not None
    padding = batch[1][:, :, None] | batch[2][:, None]
    assert (leaf.grad[padding] == 0).all()
    assert (leaf.grad[~padding] >= 0).all()
    assert leaf.grad.sum() > 0


@EACH
@pytest.mark.parametrize("gamma", [0.0, GAMMA])
def test_gradients_are_those_of_finite_differences(
    gamma: float, soft: Soft, hard: Callable[[np.ndarray], float], batch: tuple[Tensor, Tensor, Tensor]
) -> None:
    cost, *masks = batch
    leaf = torch.where(cost.isnan(), 0.0, cost).requires_grad_()
    assert torch.autograd.gradcheck(lambda c: soft(c, *masks, gamma=gamma), (leaf,))


def test_gradients_of_what_dropping_and_skipping_cost(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    cost, *masks = batch
    rows = torch.rand(3, 4, dtype=torch.float64, requires_grad=True)
    columns = torch.rand(3, 6, dtype=torch.float64, requires_grad=True)
    check = torch.autograd.gradcheck
    assert check(lambda r, c: soft_drop_dtw(cost, r, c, *masks, gamma=GAMMA), (rows, columns))
    assert check(lambda c: soft_steps(cost, *masks, background=c, gamma=GAMMA), (columns,))
    assert check(lambda r: soft_viterbi(cost, r, *masks, gamma=GAMMA), (rows,))


@settings(max_examples=25, deadline=None)
@given(matrices(3, holes=True))
def test_every_path_counts_once(cost: np.ndarray) -> None:
    leaf, shape = torch.from_numpy(cost)[None], cost.shape
    found = {
        "dtw": (soft_dtw(leaf, gamma=GAMMA), [cost_of(cost, p) for p in warpings(*shape)]),
        "drop-dtw": (
            soft_drop_dtw(leaf, 0.5, 0.25, gamma=GAMMA),
            [cost_of(cost, p, 0.5, 0.25) for p in subsets(*shape)],
        ),
        "steps": (
            soft_steps(leaf, background=0.25, gamma=GAMMA),
            [cost_of(cost, p, 0.0, 0.25) for p in runs(*shape, longest=1)],
        ),
        "runs": (
            soft_steps(leaf, runs=True, background=0.25, gamma=GAMMA),
            [cost_of(cost, p, 0.0, 0.25) for p in runs(*shape, longest=None)],
        ),
        "viterbi": (
            soft_viterbi(leaf, 0.5, gamma=GAMMA),
            [cost_of(cost, p, 0.5) for p in placings(*shape, distinct=False)],
        ),
        "distinct": (
            soft_viterbi(leaf, 0.5, distinct=True, gamma=GAMMA),
            [cost_of(cost, p, 0.5) for p in placings(*shape, distinct=True)],
        ),
    }
    for name, (value, costs) in found.items():
        expected = soft_sum(costs, GAMMA) if costs else math.inf
        assert value.item() == pytest.approx(expected, abs=1e-9), name


@pytest.mark.parity
def test_tempclr_training_distances(golden: Path) -> None:
    known = json.loads((golden / "tempclr_dist.json").read_text())
    cost = torch.from_numpy(((np.sin(0.7 * np.arange(48)) + 1) / 2).reshape(2, 4, 6)).float()
    np.testing.assert_allclose(soft_dtw(cost), known["dtw_soft"][0], atol=1e-5)
    np.testing.assert_allclose(soft_otam(cost), known["otam_soft"][0], atol=1e-5)
    np.testing.assert_allclose(soft_otam(cost.mT), known["otam_soft_T"][0], atol=1e-5)


def test_the_gradient_is_the_expected_path() -> None:
    cost = torch.tensor([[[0.0, 9, 9], [9, 0, 0]]], requires_grad=True)
    soft_dtw(cost, gamma=0.1).sum().backward()
    np.testing.assert_allclose(cost.grad, [[[1, 0, 0], [0, 1, 1]]], atol=1e-5)


def test_what_cannot_be_is_infinite_and_pulls_nothing() -> None:
    cost = torch.full((1, 2, 3), torch.nan, requires_grad=True)
    for value in (soft_dtw(cost), soft_steps(torch.rand(1, 3, 2))):
        assert value.isposinf().all()
    soft_dtw(cost).sum().backward()
    assert cost.grad is not None and (cost.grad == 0).all()


def test_half_precision_counts_in_single() -> None:
    cost = torch.rand(2, 5, 7)
    found = soft_dtw(cost.bfloat16())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, soft_dtw(cost), atol=0.05, rtol=0.05)


def test_wrong_shapes_are_told() -> None:
    with pytest.raises(DataError, match=r"costs have shape \(2, 3\)"):
        soft_dtw(torch.rand(2, 3))
    with pytest.raises(DataError, match=r"a mask has shape \(2, 4\), not \(2, 3\)"):
        soft_dtw(torch.rand(2, 3, 4), torch.zeros(2, 4, dtype=torch.bool))


def test_a_prior_of_times() -> None:
    rng = np.random.default_rng(0)
    cost, expected, at = rng.random((2, 5)), np.array([1.5, math.nan]), np.arange(5) + 0.5
    prior = time_prior(torch.from_numpy(expected)[None], torch.from_numpy(at)[None], 0.25)
    found = soft_viterbi(torch.from_numpy(cost)[None] + prior, 0.4, gamma=0.0)
    assert found.item() == pytest.approx(viterbi(cost, 0.4, prior=Prior(expected, at, 0.25)))


def test_percentile_drops() -> None:
    cost = torch.rand(2, 3, 4, dtype=torch.float64)
    cost[0, 0, 0] = torch.nan
    rows, columns = torch.zeros(2, 3, dtype=torch.bool), torch.zeros(2, 4, dtype=torch.bool)
    rows[1, 2:], columns[1, 3:] = True, True
    found = percentile_drop(cost, 30, rows, columns)
    expected = [[np.nanpercentile(cost[0], 30)], [np.percentile(cost[1, :2, :3], 30)]]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert soft_drop_dtw(cost, found, found, rows, columns).shape == (2,)


def test_learned_drops_learn() -> None:
    """Clips of one kind belong to the sentences, those of the other are to be dropped."""
    torch.manual_seed(0)
    kinds = torch.eye(4)
    clips = kinds[[0, 2, 2, 1, 2]].expand(8, 5, 4) + 0.05 * torch.randn(8, 5, 4)
    sentences = kinds[[0, 1]].expand(8, 2, 4)
    learned = LearnedDrop(4)
    optimizer = torch.optim.Adam(learned.parameters(), lr=0.05)
    for _ in range(40):
        drops = learned(clips, sentences)
        cost = 1 - torch.nn.functional.cosine_similarity(sentences[:, :, None], clips[:, None], dim=-1)
        loss = soft_drop_dtw(cost, 1.0, drops).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    dropped = learned(clips, sentences).mean(0)
    assert dropped[[1, 2, 4]].max() < 0.3 < dropped[[0, 3]].min()
    masked = torch.tensor([[False, True]]).expand(8, 2)
    torch.testing.assert_close(learned(clips, sentences, masked), learned(clips, sentences[:, :1]))


def test_transport_has_its_masses(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    similarity, *masks = batch
    plan = sinkhorn_plan(similarity, 0.5, *masks, iterations=200)
    for b, (rows, columns) in enumerate(SIZES):
        np.testing.assert_allclose(plan[b].sum(1), [1] * rows + [0] * (4 - rows) + [columns], atol=1e-6)
        np.testing.assert_allclose(plan[b].sum(0), [1] * columns + [0] * (6 - columns) + [rows], atol=1e-6)


def test_both_transports_are_one(
    batch: tuple[Tensor, Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    similarity = batch[0][0].clone()
    similarity[1, 2], similarity[3] = torch.nan, torch.nan
    monkeypatch.setattr("vidalign.aligners.decoders.transport._BLOCK", 7)
    sentences, clips = sinkhorn(similarity.numpy(), 0.5, 0.2, 30)
    scores = np.full((5, 7), 0.5)
    scores[:4, :6] = similarity
    with np.errstate(invalid="ignore"):
        ours = np.nan_to_num(np.exp(scores / 0.2 + sentences[:, None] + clips))
    plan = sinkhorn_plan(similarity[None], 0.5, epsilon=0.2, iterations=30)
    np.testing.assert_allclose(plan[0], ours, atol=1e-12)
    assert plan[0, 3, :6].sum() == 0


def test_gradients_of_transport(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    cost, *masks = batch
    leaf = torch.where(cost.isnan(), 0.0, cost).requires_grad_()
    bucket = torch.tensor([0.4, 0.5, 0.6], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s, b: sinkhorn_plan(s, b, *masks, iterations=5), (leaf, bucket))
    holes = torch.rand(1, 2, 3)
    holes[0, 0, 0] = torch.nan
    holes.requires_grad_()
    sinkhorn_plan(holes, 0.5)[0, :2, :3].pow(2).sum().backward()
    assert holes.grad is not None and holes.grad.isfinite().all()


def test_the_prompt_bucket() -> None:
    similarity = torch.arange(10.0).reshape(1, 2, 5)
    assert prompt_bucket(similarity, 0.3).tolist() == [2.0]
    similarity[0, 0, 0] = torch.nan
    assert prompt_bucket(similarity, 0.5).tolist() == [5.0]

"""The two heads of TSP, what they are trained on, and what stays as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidalign.backbones.tsp import TSP
from vidalign.errors import ConfigError
from vidalign.training.config import OptimizerOptions
from vidalign.training.losses.tsp import accuracy, labelled_cross_entropy, regions_of
from vidalign.training.objectives.tsp import Rates, TspObjective, TspOptions
from vidalign.training.optim import make_optimizer
from vidalign.weights.recipes import get_recipe

RECIPE = replace(get_recipe("mini-8fps"), layer="features", mean=(0.4, 0.4, 0.4), std=(0.2, 0.2, 0.2))
LABELS = torch.tensor([2, -1, 0, -1])
WIDTH = 16
"""Of the features of a network of 1/32."""


def objective(
    options: TspOptions | None = None, rates: Rates | None = None, *, gvf: int = 0, regions: int = 2
) -> TspObjective:
    torch.manual_seed(0)
    network = TSP(18, separable=False, width=1 / 32, actions=3, regions=regions, gvf=gvf)
    return TspObjective(network, RECIPE, options, rates)


def batch(gvf: int = 0, labels: Tensor = LABELS) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)
    clips = torch.randint(0, 256, (len(labels), 3, 8, 16, 16), generator=draw, dtype=torch.uint8)
    made = {"clips": clips, "action": labels}
    return made | ({"gvf": torch.randn(len(labels), gvf, generator=draw)} if gvf else {})


def test_background_has_no_action_loss() -> None:
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    expected = F.cross_entropy(logits[[0, 2]], torch.tensor([2, 0]))
    assert torch.allclose(labelled_cross_entropy(logits, LABELS), expected)
    assert labelled_cross_entropy(logits, torch.full((4,), -1)) == 0
    assert regions_of(LABELS).tolist() == [0, 1, 0, 1]


def test_accuracy_counts_what_has_a_label() -> None:
    logits = torch.tensor([[0.0, 0, 1], [0, 1, 0], [0, 1, 0], [1, 0, 0]])
    assert accuracy(logits, LABELS) == 0.5
    assert accuracy(logits, torch.full((4,), -1)).isnan()


def test_the_loss_is_the_weighted_sum_of_the_heads() -> None:
    model = objective(TspOptions(action=0.25, region=2.0), gvf=5)
    given = batch(5)
    scores = model.scores(given)
    assert scores["action"].shape == (4, 3) and scores["region"].shape == (4, 2)
    found = model(given)
    action = F.cross_entropy(scores["action"], LABELS, ignore_index=-1)
    region = F.cross_entropy(scores["region"], torch.tensor([0, 1, 0, 1]))
    assert torch.allclose(found["loss"], 0.25 * action + 2 * region)
    assert torch.allclose(found["action_loss"], action) and torch.allclose(found["region_loss"], region)
    assert set(found) == {"loss", "action_loss", "action_accuracy", "region_loss", "region_accuracy"}


def test_the_global_feature_reaches_the_second_head_alone() -> None:
    model = objective(gvf=5).eval()
    nn.init.normal_(model.network.fc2.weight)  # type: ignore[arg-type]
    before, other = batch(5), batch(5)
    other["gvf"] = other["gvf"] + 1
    one, two = model.scores(before), model.scores(other)
    assert torch.equal(one["action"], two["action"])
    moved = model.network.fc2.weight[:, WIDTH:].sum(dim=1)  # type: ignore[index]
    assert torch.allclose(two["region"] - one["region"], moved.expand(4, 2), atol=1e-5)


def test_the_control_has_one_head_alone() -> None:
    model = objective(TspOptions(objective="tac"), regions=0)
    found = model(batch(labels=torch.tensor([2, 1, 0])))
    assert set(found) == {"loss", "action_loss", "action_accuracy"}
    assert torch.equal(found["loss"].detach(), found["action_loss"])


def test_heads_begin_small_and_without_bias() -> None:
    network = TSP(18, separable=False, width=1 / 32, actions=2000, gvf=0)
    assert float(network.fc1.weight.detach().std()) == pytest.approx(0.01, rel=0.05)  # type: ignore[operator]
    assert not network.fc1.bias.any() and not network.fc2.bias.any()  # type: ignore[operator]


def test_a_batch_of_background_has_a_gradient_everywhere() -> None:
    model = objective()
    model(batch(labels=torch.full((4,), -1)))["loss"].backward()
    for name, value in model.decay_names().items():
        assert value.grad is not None and value.grad.isfinite().all(), name
    assert not model.decay_names()["network.fc1.weight"].grad.any()  # type: ignore[union-attr]


def test_a_frozen_stem_and_rates_of_their_own() -> None:
    model = objective(rates=Rates(stem=0.0, backbone=1.0, heads=20.0))
    multipliers = model.rate_multipliers()
    assert set(multipliers) == set(model.decay_names())
    assert not any(".stem." in name for name in multipliers)
    assert {name for name, value in multipliers.items() if value == 20.0} == {
        f"network.{head}.{kind}" for head in ("fc1", "fc2") for kind in ("weight", "bias")
    }
    stem = model.network.features.stem
    before = [value.clone() for value in stem.parameters()]
    options = OptimizerOptions(name="sgd", learning_rate=0.1, decayed="all")
    optimizer = make_optimizer(model.decay_names(), options, multipliers)
    model(batch())["loss"].backward()
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, stem.parameters(), strict=True))
    moving = objective(rates=Rates(stem=0.5)).rate_multipliers()
    assert moving["network.features.stem.0.weight"] == 0.5


@pytest.mark.parametrize("wrong", [{"action": -1.0}, {"action": 0.0, "region": 0.0}])
def test_weights_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        TspOptions(**wrong)
    with pytest.raises(ConfigError):
        TspOptions(objective="tac", action=0.0)
    with pytest.raises(ConfigError, match="heads"):
        Rates(heads=-1)

"""The two heads of TSP, what they are trained on, and what stays as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidalign.errors import ConfigError
from vidalign.training.config import OptimizerOptions
from vidalign.training.losses.tsp import accuracy, labelled_cross_entropy, regions_of
from vidalign.training.objectives.tsp import Rates, TspObjective, TspOptions, Widths
from vidalign.training.optim import make_optimizer
from vidalign.weights.recipes import get_recipe

RECIPE = replace(get_recipe("mini-8fps"), layer="features", mean=(0.4, 0.4, 0.4), std=(0.2, 0.2, 0.2))
LABELS = torch.tensor([2, -1, 0, -1])


class Encoder(nn.Module):
    """A stem and one layer, named as in a VideoResNet."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv3d(3, 4, 1), nn.BatchNorm3d(4))
        self.layer1 = nn.Conv3d(4, 6, 1)

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        return {"features": self.layer1(self.stem(clips)).mean(dim=(2, 3, 4))}


def objective(gvf: int = 0, options: TspOptions | None = None, rates: Rates | None = None) -> TspObjective:
    torch.manual_seed(0)
    return TspObjective(Encoder(), RECIPE, Widths(6, 3, gvf), options, rates)


def batch(gvf: int = 0, labels: Tensor = LABELS) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)
    clips = torch.randint(0, 256, (len(labels), 3, 2, 4, 4), generator=draw, dtype=torch.uint8)
    return {"clips": clips, "action": labels, "gvf": torch.randn(len(labels), gvf, generator=draw)}


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
    model = objective(5, TspOptions(action=0.25, region=2.0))
    given = batch(5)
    scores = model.scores(given)
    assert scores["fc1"].shape == (4, 3) and scores["fc2"].shape == (4, 2)
    found = model(given)
    action = F.cross_entropy(scores["fc1"], LABELS, ignore_index=-1)
    region = F.cross_entropy(scores["fc2"], torch.tensor([0, 1, 0, 1]))
    assert torch.allclose(found["loss"], 0.25 * action + 2 * region)
    assert torch.allclose(found["action_loss"], action) and torch.allclose(found["region_loss"], region)
    assert set(found) == {"loss", "action_loss", "action_accuracy", "region_loss", "region_accuracy"}


def test_the_global_feature_reaches_the_second_head_alone() -> None:
    model = objective(5)
    assert model.heads["fc2"].weight.shape == (2, 6 + 5)
    model.eval()
    nn.init.normal_(model.heads["fc2"].weight)
    before, other = batch(5), batch(5)
    other["gvf"] = other["gvf"] + 1
    one, two = model.scores(before), model.scores(other)
    assert torch.equal(one["fc1"], two["fc1"])
    moved = model.heads["fc2"].weight[:, 6:].sum(dim=1)
    assert torch.allclose(two["fc2"] - one["fc2"], moved.expand(4, 2), atol=1e-5)


def test_the_control_has_no_second_head() -> None:
    model = objective(options=TspOptions(objective="tac"))
    found = model(batch(labels=torch.tensor([2, 1, 0])))
    assert set(found) == {"loss", "action_loss", "action_accuracy"}
    assert torch.equal(found["loss"].detach(), found["action_loss"])


def test_heads_begin_small_and_without_bias() -> None:
    heads = TspObjective(Encoder(), RECIPE, Widths(6, 2000, 0)).heads
    assert float(heads["fc1"].weight.detach().std()) == pytest.approx(0.01, rel=0.05)
    assert all(not head.bias.any() for head in heads.values())  # type: ignore[union-attr]


def test_a_batch_of_background_has_a_gradient_everywhere() -> None:
    model = objective()
    model(batch(labels=torch.full((4,), -1)))["loss"].backward()
    for name, value in model.decay_names().items():
        assert value.grad is not None and value.grad.isfinite().all(), name
    assert not model.heads["fc1"].weight.grad.any()


def test_a_frozen_stem_and_rates_of_their_own() -> None:
    model = objective(rates=Rates(stem=0.0, backbone=1.0, heads=20.0))
    assert not any(value.requires_grad for value in model.network.stem.parameters())
    assert set(model.decay_names()) == {
        "network.layer1.weight",
        "network.layer1.bias",
        "heads.fc1.weight",
        "heads.fc1.bias",
        "heads.fc2.weight",
        "heads.fc2.bias",
    }
    before = [value.clone() for value in model.network.stem.parameters()]
    options = OptimizerOptions(name="sgd", learning_rate=0.1, decayed="all")
    optimizer = make_optimizer(model.decay_names(), options, model.rate_multipliers())
    model(batch())["loss"].backward()
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, model.network.stem.parameters(), strict=True))
    assert model.rate_multipliers()["heads.fc1.bias"] == 20.0
    assert objective(rates=Rates(stem=0.5)).rate_multipliers()["network.stem.0.weight"] == 0.5


@pytest.mark.parametrize("wrong", [{"action": -1.0}, {"action": 0.0, "region": 0.0}])
def test_weights_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        TspOptions(**wrong)
    with pytest.raises(ConfigError):
        TspOptions(objective="tac", action=0.0)
    with pytest.raises(ConfigError, match="heads"):
        Rates(heads=-1)

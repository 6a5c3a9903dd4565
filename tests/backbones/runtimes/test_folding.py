"""Batch norms are folded where that is exact, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tests.tiny import random_state
from vidalign.backbones.registry import load_backbone, load_network, state_shapes
from vidalign.backbones.runtimes.folding import FoldedNetwork, fold_batch_norms
from vidalign.backbones.runtimes.probe import TOLERANCE, difference, noise_clips
from vidalign.types import Recipe
from vidalign.weights.cards import get_card

RECIPE = Recipe("own", 4, 4, 1.0, 16, 16, "mean")


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, _BatchNorm) for module in network.modules())


@pytest.mark.parametrize(
    ("card", "sides", "left"),
    [
        ("mini", (4, 32, 32), 0),
        ("s3d-kinetics", (16, 32, 32), 0),
        ("tanet-r50-8f", (8, 32, 32), 16),
    ],
)
def test_the_families_lose_the_norms_behind_convolutions_and_no_digit(
    card: str, sides: tuple[int, int, int], left: int
) -> None:
    """TANet has 16 norms behind linear layers."""
    spec = get_card(card).backbone
    assert spec is not None
    network = load_network(spec, random_state(state_shapes(spec), 1))
    layer = spec.recipe.layer
    folded = fold_batch_norms(network, noise_clips((1, 3, *sides), spec.recipe), layer)
    assert norms(network) > left
    assert norms(folded) == left
    others = torch.rand(2, 3, *sides)
    with torch.inference_mode():
        assert difference(folded(others)[layer], network(others)[layer]) < TOLERANCE / 10


class Odd(nn.Module):
    """A convolution and a norm between which, or beside which, something happens."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.first, self.second = nn.Conv3d(3, 4, 1), nn.Conv3d(4, 4, 1)
        self.norm = nn.BatchNorm3d(4, track_running_stats=kind != "no statistics")
        if self.norm.running_mean is not None:
            self.norm.running_mean.uniform_(1, 2)

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        made = self.first(clips)
        if self.kind == "relu between":
            made = made.relu_()
        if self.kind == "sum between":
            made = made + 1
        normed = self.norm(made)
        if self.kind == "used beside":
            normed = normed + made
        if self.kind == "norm twice":
            normed = self.norm(self.second(normed))
        if self.kind == "convolution twice":
            normed = normed + self.first(clips)
        return {"mean": normed.mean(dim=(2, 3, 4))}


@pytest.mark.parametrize(
    "kind",
    ["relu between", "sum between", "used beside", "norm twice", "convolution twice", "no statistics"],
)
def test_what_is_not_the_same_stays(kind: str) -> None:
    torch.manual_seed(0)
    network = Odd(kind).eval()
    folded = fold_batch_norms(network, noise_clips((1, 3, 4, 16, 16), RECIPE), "mean")
    assert norms(folded) == 1
    clips = torch.rand(2, 3, 4, 16, 16)
    with torch.inference_mode():
        assert torch.equal(folded(clips)["mean"], network(clips)["mean"])


def test_a_slice_between_is_no_hindrance() -> None:
    class Sliced(Odd):
        def forward(self, clips: Tensor) -> dict[str, Tensor]:
            return {"mean": self.norm(self.first(clips)[:, :, 1:, 1:]).mean(dim=(2, 3, 4))}

    network = Sliced("").eval()
    assert norms(fold_batch_norms(network, noise_clips((1, 3, 4, 16, 16), RECIPE), "mean")) == 0


def test_without_norms_nothing_runs() -> None:
    class Plain(nn.Module):
        def forward(self, clips: Tensor) -> dict[str, Tensor]:
            raise AssertionError

    network = Plain()
    assert fold_batch_norms(network, torch.zeros(1), "mean") is network


def test_folding_waits_for_the_first_clips_and_happens_once(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidalign.backbones.runtimes import folding

    shapes: list[Any] = []
    once = folding.fold_batch_norms

    def counted(network: nn.Module, trial: Tensor, layer: str) -> nn.Module:
        shapes.append(tuple(trial.shape))
        return once(network, trial, layer)

    monkeypatch.setattr(folding, "fold_batch_norms", counted)
    backbone = load_backbone("mini")
    network = FoldedNetwork(backbone.network, backbone.recipe)
    assert not shapes
    for sides in [(4, 32, 32), (8, 32, 48)]:
        with torch.inference_mode():
            network(torch.zeros(2, 3, *sides))
    assert shapes == [(1, 3, 4, 32, 32)]
    assert norms(network) == 0
    assert norms(load_backbone("mini").network) > 0


def test_differences_are_shares_of_the_largest_value() -> None:
    expected = torch.tensor([[10.0, 0.0]])
    assert difference(expected + 0.001, expected) == pytest.approx(1e-4, rel=1e-3)
    assert difference(expected[:, :1], expected) == float("inf")
    assert difference(torch.zeros(1), torch.zeros(1)) == 0
    assert not difference(torch.tensor([float("nan")]), torch.ones(1)) <= TOLERANCE

"""The optimiser's groups and the schedule."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from vidalign.errors import ConfigError
from vidalign.training.config import OptimizerOptions
from vidalign.training.optim import learning_rate, make_optimizer, set_rate


class Network(nn.Module):
    """A norm at the top and one inside, as TAN has them."""

    def __init__(self) -> None:
        super().__init__()
        self.ln_top = nn.LayerNorm(3)
        self.block = nn.ModuleDict({"ln_1": nn.LayerNorm(3), "fc": nn.Linear(3, 2)})


@pytest.mark.parametrize(
    ("quirks", "spared"),
    [
        (
            "corrected",
            {"ln_top.weight", "ln_top.bias", "block.ln_1.weight", "block.ln_1.bias", "block.fc.bias"},
        ),
        ("reference", {"ln_top.bias", "block.ln_1.weight", "block.ln_1.bias", "block.fc.bias"}),
    ],
)
def test_the_reference_decays_the_norms_at_the_top(quirks: str, spared: set[str]) -> None:
    parameters = dict(Network().named_parameters())
    options = OptimizerOptions(weight_decay=0.1, quirks=quirks)  # type: ignore[arg-type]
    decayed, others = make_optimizer(parameters, options).param_groups
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    names = {id(value): name for name, value in parameters.items()}
    assert {names[id(value)] for value in others["params"]} == spared
    assert len(decayed["params"]) + len(others["params"]) == len(parameters)


def test_warm_up_then_cosine() -> None:
    options = OptimizerOptions(learning_rate=2.0, warmup=4)
    rates = [learning_rate(step, 12, options) for step in range(12)]
    assert rates[:5] == [0.5, 1.0, 1.5, 2.0, 2.0]
    assert rates[8] == pytest.approx(1.0)
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert learning_rate(12, 12, options) == pytest.approx(0.0)


def test_the_end_may_be_above_zero_and_the_rate_constant() -> None:
    assert learning_rate(10, 10, OptimizerOptions(learning_rate=2.0, warmup=0, final=0.1)) == pytest.approx(
        0.2
    )
    constant = OptimizerOptions(learning_rate=2.0, warmup=2, schedule="constant")
    assert [learning_rate(step, 9, constant) for step in (0, 1, 2, 8)] == [1.0, 2.0, 2.0, 2.0]


def test_a_warm_up_longer_than_the_run_is_no_error() -> None:
    options = OptimizerOptions(learning_rate=1.0, warmup=100)
    assert learning_rate(9, 10, options) == pytest.approx(0.1)


def test_milestones_in_epochs_after_a_warm_up() -> None:
    options = OptimizerOptions(
        learning_rate=1.0, warmup=2, schedule="steps", milestones=(4, 6), gamma=0.01, unit="epochs"
    )
    rates = [learning_rate(step, 80, options, epoch=10) for step in range(80)]
    assert rates[:3] == pytest.approx([0.05, 0.1, 0.15])
    assert set(rates[19:40]) == {1.0}
    assert rates[40:60] == pytest.approx([0.01] * 20)
    assert rates[60:] == pytest.approx([0.0001] * 20)


def test_a_polynomial_falls_from_the_warm_up_to_the_end_of_the_run() -> None:
    options = OptimizerOptions(learning_rate=8.0, warmup=2, schedule="polynomial", final=0.25)
    rates = [learning_rate(step, 8, options) for step in range(9)]
    assert rates == pytest.approx([4.0, 8.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0])
    squared = OptimizerOptions(learning_rate=8.0, warmup=0, schedule="polynomial", power=2.0)
    assert [learning_rate(step, 4, squared) for step in range(5)] == pytest.approx([8.0, 4.5, 2.0, 0.5, 0.0])


def test_a_polynomial_may_end_before_or_after_the_run() -> None:
    published = OptimizerOptions(
        learning_rate=2e-5, warmup=1000, schedule="polynomial", decay_steps=1_000_000
    )
    assert learning_rate(500_500, 2000, published) == pytest.approx(1e-5)
    assert learning_rate(1999, 2000, published) == pytest.approx(2e-5 * (1 - 999 / 999_000))
    early = OptimizerOptions(learning_rate=1.0, warmup=0, schedule="polynomial", decay_steps=4, final=0.5)
    rates = [learning_rate(step, 8, early) for step in range(8)]
    assert rates == pytest.approx([1.0, 0.875, 0.75, 0.625, 0.5, 0.5, 0.5, 0.5])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"power": 2.0}, "power goes with schedule polynomial"),
        ({"schedule": "constant", "decay_steps": 5}, "decay_steps goes with schedule polynomial"),
        ({"schedule": "polynomial", "power": 0.0}, "power must be above 0"),
        ({"schedule": "polynomial", "decay_steps": -1, "warmup": 0}, "decay_steps must be above 0"),
        ({"schedule": "polynomial", "decay_steps": 9, "warmup": 9}, "decay_steps is 9, warmup alone is 9"),
        ({"schedule": "steps"}, "go together"),
        ({"milestones": (3.0,)}, "go together"),
        ({"schedule": "steps", "milestones": (6.0, 4.0)}, "rise"),
        ({"momentum": 1.0}, "momentum"),
        ({"gamma": 0.0}, "gamma"),
    ],
)
def test_options_that_cannot_be(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        OptimizerOptions(**wrong)


def test_sgd_with_a_rate_of_its_own_for_each_part() -> None:
    network = Network()
    parameters = dict(network.named_parameters())
    options = OptimizerOptions(
        name="sgd", learning_rate=0.5, momentum=0.0, weight_decay=0.0, decayed="all", warmup=0
    )
    multipliers = {name: 4.0 for name in parameters if name.startswith("block.fc")}
    optimizer = make_optimizer(parameters, options, multipliers)
    assert isinstance(optimizer, torch.optim.SGD)
    before = {name: value.detach().clone() for name, value in parameters.items()}
    set_rate(optimizer, 0.1)
    for value in parameters.values():
        value.grad = torch.ones_like(value)
    optimizer.step()
    moved = {name: float((before[name] - value.detach()).mean()) for name, value in parameters.items()}
    assert moved == {name: pytest.approx(0.4 if "fc" in name else 0.1) for name in parameters}


def test_everything_may_be_decayed() -> None:
    parameters = dict(Network().named_parameters())
    options = OptimizerOptions(name="sgd", weight_decay=0.005, decayed="all")
    decayed, spared = make_optimizer(parameters, options).param_groups
    assert len(decayed["params"]) == len(parameters) and not spared["params"]

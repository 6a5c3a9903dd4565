"""The optimiser with its groups, and a learning rate that is a pure function of the step."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from vidalign.training.config import OptimizerOptions

MULTIPLIER = "multiplier"
"""Key of a group: what the learning rate of the run is multiplied by."""


def make_optimizer(
    parameters: Mapping[str, nn.Parameter],
    options: OptimizerOptions,
    multipliers: Mapping[str, float] | None = None,
) -> Optimizer:
    """AdamW or SGD in two groups, what is decayed and what is not, for each multiplier of the rate.

    `multipliers` are by the names of `parameters`; those that it does not name have 1.
    """
    given = multipliers or {}
    groups: list[dict[str, Any]] = []
    for multiplier in dict.fromkeys((1.0, *given.values())):
        mine = {name: value for name, value in parameters.items() if given.get(name, 1.0) == multiplier}
        if not mine and groups:
            continue
        decayed = [value for name, value in mine.items() if decays(name, value, options)]
        spared = [value for name, value in mine.items() if not decays(name, value, options)]
        groups.append({"params": decayed, "weight_decay": options.weight_decay, MULTIPLIER: multiplier})
        groups.append({"params": spared, "weight_decay": 0.0, MULTIPLIER: multiplier})
    if options.name == "sgd":
        return SGD(groups, lr=options.learning_rate, momentum=options.momentum)
    betas = (options.betas[0], options.betas[1])
    return AdamW(groups, lr=options.learning_rate, betas=betas, fused=True)


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Give every group its multiple of the learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(MULTIPLIER, 1.0)


def decays(name: str, parameter: nn.Parameter, options: OptimizerOptions) -> bool:
    """Whether a parameter is decayed: all but vectors; for the reference all but names with .ln_ or .bias."""
    if options.decayed == "all":
        return True
    if options.quirks == "reference":
        return ".ln_" not in name and ".bias" not in name
    return parameter.ndim > 1


def learning_rate(step: int, steps: int, options: OptimizerOptions, epoch: float = 1.0) -> float:
    """The rate of step 0..steps-1: linear warm-up, then what `schedule` says; `epoch` is one in steps."""
    unit = epoch if options.unit == "epochs" else 1.0
    warmup = options.warmup * unit
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    if options.schedule == "steps":
        passed = bisect_right([milestone * unit for milestone in options.milestones], step)
        return options.learning_rate * rise * options.gamma**passed
    if rise < 1 or options.schedule == "constant":
        return options.learning_rate * rise
    end = options.decay_steps or steps
    share = min(1.0, max(0.0, step - warmup) / max(1, end - warmup))
    if options.schedule == "polynomial":
        fall = math.pow(1 - share, options.power)
    else:
        fall = 0.5 * (1 + math.cos(math.pi * share))
    return options.learning_rate * (options.final + (1 - options.final) * fall)

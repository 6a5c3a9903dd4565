"""AdamW, its groups, and a learning rate that is a pure function of the step."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import nn
from torch.optim import AdamW

from vidalign.training.config import OptimizerOptions


def make_optimizer(parameters: Mapping[str, nn.Parameter], options: OptimizerOptions) -> AdamW:
    """AdamW in two groups: what is decayed, and the norms and biases, which are not."""
    decayed = [value for name, value in parameters.items() if decays(name, value, options)]
    spared = [value for name, value in parameters.items() if not decays(name, value, options)]
    groups = [
        {"params": decayed, "weight_decay": options.weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    betas = (options.betas[0], options.betas[1])
    return AdamW(groups, lr=options.learning_rate, betas=betas, fused=True)


def decays(name: str, parameter: nn.Parameter, options: OptimizerOptions) -> bool:
    """Whether a parameter is decayed: all but vectors; for the reference all but names with .ln_ or .bias."""
    if options.quirks == "reference":
        return ".ln_" not in name and ".bias" not in name
    return parameter.ndim > 1


def learning_rate(step: int, steps: int, options: OptimizerOptions) -> float:
    """The rate of step 0..steps-1: linear warm-up, then half a cosine."""
    if step < options.warmup:
        return options.learning_rate * (step + 1) / options.warmup
    if options.schedule == "constant":
        return options.learning_rate
    share = (step - options.warmup) / max(1, steps - options.warmup)
    fall = 0.5 * (1 + math.cos(math.pi * share))
    return options.learning_rate * (options.final + (1 - options.final) * fall)

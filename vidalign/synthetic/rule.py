"""The stated rule of features without pictures: what the bundled backbone makes of a second, and its scatter.

A small network, fitted to the backbone's output on drawn videos, maps the state of a second to a feature. Two
normal scatters come on top, as wide as what the fit left over: one is drawn once a shot, one every second.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidalign.synthetic.states import second_states, shot_of_seconds
from vidalign.synthetic.world import Plan

Floats = NDArray[np.float32]
FITTED = Path(__file__).with_name("mini-rule.safetensors")


@dataclass(frozen=True, slots=True, eq=False)
class FeatureRule:
    """Weights (STATES, H), (H, H), (H, D), biases, and scatters (rank, D) of a shot and of a second."""

    weight_1: Floats
    bias_1: Floats
    weight_2: Floats
    bias_2: Floats
    weight_3: Floats
    bias_3: Floats
    shot_scatter: Floats
    second_scatter: Floats

    def mean(self, states: Floats) -> Floats:
        """States (T, STATES) -> what is expected of the features (T, D)."""
        hidden = np.maximum(states @ self.weight_1 + self.bias_1, 0)
        hidden = np.maximum(hidden @ self.weight_2 + self.bias_2, 0)
        return np.asarray(hidden @ self.weight_3 + self.bias_3)

    def draw(self, plan: Plan) -> Floats:
        """Features (T, D), never negative, as the backbone's are; depends on nothing but the plan."""
        random = np.random.default_rng([*plan.name.encode()])
        expected = self.mean(second_states(plan))
        of_shot = random.standard_normal((len(plan.shots), len(self.shot_scatter))) @ self.shot_scatter
        of_second = random.standard_normal((len(expected), len(self.second_scatter))) @ self.second_scatter
        drawn = expected + of_shot[shot_of_seconds(plan)] + of_second
        return np.asarray(np.maximum(drawn, 0), np.float32)


@cache
def load_rule(path: Path = FITTED) -> FeatureRule:
    """Read a fitted rule."""
    from safetensors.numpy import load_file

    tensors = {name: values.astype(np.float32) for name, values in load_file(path).items()}
    return FeatureRule(**{field.name: tensors[field.name] for field in fields(FeatureRule)})

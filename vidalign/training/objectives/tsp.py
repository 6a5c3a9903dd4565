"""A clip encoder that knows actions from each other and from background (TSP, Alwassel et al., ICCVW 21)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from vidalign.backbones.encode import scale_pixels
from vidalign.errors import ConfigError
from vidalign.training.jobs import Batch, Losses, Objective
from vidalign.training.losses.tsp import REGIONS, accuracy, labelled_cross_entropy, regions_of
from vidalign.types import Recipe

ACTION, REGION = "fc1", "fc2"
"""The names of the heads, as published."""
STEM = "stem."
_SPREAD = 0.01


@dataclass(frozen=True, slots=True)
class TspOptions:
    """What is learnt, and the weight of each loss.

    tsp: the action of a clip, and whether it shows one at all. tac: the action alone, from action segments
    alone; the paper's control. `channels_last` lays the network out as convolutions are fastest.
    """

    objective: Literal["tsp", "tac"] = "tsp"
    action: float = 1.0
    region: float = 1.0
    channels_last: bool = True

    def __post_init__(self) -> None:
        for name in ("action", "region"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must not be below 0, not {getattr(self, name):g}")
        if self.action + (self.region if self.objective == "tsp" else 0.0) <= 0:
            raise ConfigError("action and region are both 0", hint="one loss needs a weight")


@dataclass(frozen=True, slots=True)
class Rates:
    """Multiples of the learning rate; 0 keeps a part as it begins (its batch norms still count along)."""

    stem: float = 0.0
    backbone: float = 1.0
    heads: float = 20.0

    def __post_init__(self) -> None:
        for name in ("stem", "backbone", "heads"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must not be below 0, not {getattr(self, name):g}")


@dataclass(frozen=True, slots=True)
class Widths:
    """Of the features, of the action head, and of the global video feature (0: none)."""

    features: int
    actions: int
    gvf: int = 0


class TspObjective(Objective):
    """An encoder with its heads and losses; batches are those of `vidalign.training.data.segments`.

    Pixels are scaled as `recipe` says, as they will be when features are extracted. Heads begin as
    N(0, 0.01) with biases of 0.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        widths: Widths,
        options: TspOptions | None = None,
        rates: Rates | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.widths = widths
        self.options = options or TspOptions()
        self.rates = rates or Rates()
        self.heads = nn.ModuleDict({ACTION: nn.Linear(widths.features, widths.actions)})
        if self.options.objective == "tsp":
            self.heads[REGION] = nn.Linear(widths.features + widths.gvf, len(REGIONS))
        for head in self.heads.values():
            assert isinstance(head, nn.Linear)
            nn.init.normal_(head.weight, std=_SPREAD)
            nn.init.zeros_(head.bias)
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(self._rate(name) > 0)
        if self.options.channels_last:
            network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(self, batch: Batch) -> Losses:
        """`loss`, those of the heads, and their accuracies (NaN in a batch without action)."""
        scores, labels = self.scores(batch), self.labels(batch)
        weights = {ACTION: self.options.action, REGION: self.options.region}
        losses = {name: labelled_cross_entropy(scores[name], labels[name]) for name in scores}
        found = {"loss": torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()}
        with torch.no_grad():
            for name, said in self._said():
                found[f"{said}_loss"] = losses[name].detach()
                found[f"{said}_accuracy"] = accuracy(scores[name], labels[name])
        return found

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Logits (B, classes) by head."""
        features = self.network(scale_pixels(batch["clips"], self.recipe))[self.recipe.layer]
        found = {ACTION: self.heads[ACTION](features)}
        if REGION in self.heads:
            seen = torch.cat([features, batch["gvf"]], dim=1) if self.widths.gvf else features
            found[REGION] = self.heads[REGION](seen)
        return found

    def labels(self, batch: Batch) -> dict[str, Tensor]:
        """Labels (B,) by head."""
        found = {ACTION: batch["action"]}
        if REGION in self.heads:
            found[REGION] = regions_of(batch["action"])
        return found

    def rate_multipliers(self) -> dict[str, float]:
        """Of the stem, the rest of the network, and the heads."""
        return {name: self._rate(name) for name in self.decay_names()}

    def _rate(self, name: str) -> float:
        if name.startswith("heads."):
            return self.rates.heads
        return self.rates.stem if name.startswith(f"network.{STEM}") else self.rates.backbone

    def _said(self) -> Iterator[tuple[str, str]]:
        said = {ACTION: "action", REGION: "region"}
        return ((name, said[name]) for name in self.heads)

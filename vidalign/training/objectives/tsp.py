"""A clip encoder that knows actions from each other and from background (TSP, Alwassel et al., ICCVW 21)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from vidalign.backbones.encode import scale_pixels
from vidalign.backbones.tsp import TSP
from vidalign.errors import ConfigError
from vidalign.training.jobs import Batch, Losses, Objective
from vidalign.training.losses.tsp import accuracy, labelled_cross_entropy, regions_of
from vidalign.types import Recipe

ACTION, REGION = "action", "region"
"""The heads, as the network's layers name them."""
FEATURES = "features"


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
        for name in (ACTION, REGION):
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


class TspObjective(Objective):
    """An encoder with its heads and losses; batches are those of `training.data.segment_clips`.

    Pixels are scaled as `recipe` says, as they will be when features are extracted.
    """

    def __init__(
        self, network: TSP, recipe: Recipe, options: TspOptions | None = None, rates: Rates | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.options = options or TspOptions()
        self.rates = rates or Rates()
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(self._rate(name) > 0)
        if self.options.channels_last:
            network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(self, batch: Batch) -> Losses:
        """`loss`, those of the heads, and their accuracies (NaN in a batch without action)."""
        scores, labels = self.scores(batch), self.labels(batch)
        losses = {name: labelled_cross_entropy(scores[name], labels[name]) for name in scores}
        weighted = [getattr(self.options, name) * loss for name, loss in losses.items()]
        found = {"loss": torch.stack(weighted).sum()}
        with torch.no_grad():
            for name, loss in losses.items():
                found[f"{name}_loss"] = loss.detach()
                found[f"{name}_accuracy"] = accuracy(scores[name], labels[name])
        return found

    def scores(self, batch: Batch) -> dict[str, Tensor]:
        """Logits (B, classes) by head; `gvf` (B, D) of the batch is what the network was made for."""
        layers = self.network(scale_pixels(batch["clips"], self.recipe), batch.get("gvf"))
        return {name: layers[name] for name in self.network.heads}

    def labels(self, batch: Batch) -> dict[str, Tensor]:
        """Labels (B,) by head."""
        known = {ACTION: batch["action"], REGION: regions_of(batch["action"])}
        return {name: known[name] for name in self.network.heads}

    def rate_multipliers(self) -> dict[str, float]:
        """Of the stem, the rest of the network, and the heads."""
        return {name: self._rate(name) for name in self.decay_names()}

    def _rate(self, name: str) -> float:
        inner = name.removeprefix("network.")
        if not inner.startswith("features."):
            return self.rates.heads
        return self.rates.stem if inner.startswith("features.stem.") else self.rates.backbone

"""Classification of clips by a 2-D ResNet over their frames (TSN, ECCV 2016; TAM, ICCV 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidalign.backbones.encode import scale_pixels
from vidalign.backbones.tanet import TANet
from vidalign.errors import ConfigError
from vidalign.training.jobs import Batch, Losses, Objective
from vidalign.types import Recipe


@dataclass(frozen=True, slots=True)
class ActionOptions:
    """`partial_bn` keeps all batch norms of pictures but the first as they begin (TSN), for small batches.

    `classifier` and `classifier_bias` are multiples of the learning rate (published: 5 and 10).
    `channels_last` lays the network out as convolutions are fastest.
    """

    partial_bn: bool = False
    classifier: float = 1.0
    classifier_bias: float = 1.0
    channels_last: bool = True

    def __post_init__(self) -> None:
        for name in ("classifier", "classifier_bias"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be above 0, not {getattr(self, name):g}")


class ActionObjective(Objective):
    """A network with cross-entropy; batches are those of `training.data.actions.ActionClips`.

    Pixels are scaled as `recipe` says, as they will be when features are extracted.
    """

    def __init__(self, network: TANet, recipe: Recipe, options: ActionOptions | None = None) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.options = options or ActionOptions()
        if self.options.channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.options.partial_bn:
            for norm in self._kept():
                norm.requires_grad_(False)

    def forward(self, batch: Batch) -> Losses:
        """`loss`, and `accuracy`, the share of clips whose class has the largest score."""
        scores, labels = self.scores(batch), batch["labels"]
        right = (scores.detach().argmax(dim=1) == labels).float().mean()
        return {"loss": F.cross_entropy(scores, labels), "accuracy": right}

    def scores(self, batch: Batch) -> Tensor:
        """Logits (B, classes), means over the frames."""
        logits: Tensor = self.network(scale_pixels(batch["clips"], self.recipe))["logits"]
        return logits

    def rate_multipliers(self) -> dict[str, float]:
        """Of the classifier."""
        return {
            "network.fc.weight": self.options.classifier,
            "network.fc.bias": self.options.classifier_bias,
        }

    def train(self, mode: bool = True) -> ActionObjective:
        """As every module, but norms that are kept stay in evaluation mode."""
        super().train(mode)
        if self.options.partial_bn:
            for norm in self._kept():
                norm.eval()
        return self

    def _kept(self) -> list[nn.BatchNorm2d]:
        return [module for module in self.network.modules() if isinstance(module, nn.BatchNorm2d)][1:]

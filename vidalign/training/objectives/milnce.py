"""Clips and sentences in one space: S3D with its sentence encoder under MIL-NCE (Miech et al., CVPR 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidalign.backbones.encode import scale_pixels
from vidalign.backbones.s3d import S3D
from vidalign.errors import ConfigError
from vidalign.training.jobs import Batch, Losses, Objective
from vidalign.training.losses.milnce import mil_nce
from vidalign.types import Recipe

Padding = Literal["counts", "masked", "both"]


@dataclass(frozen=True, slots=True)
class MilNceOptions:
    """How clips and sentences are compared.

    `score` dot with `temperature` 1 is the published loss. In the sentence encoder's maximum over words,
    `padding` counts, as S3D was published and is used by the plain similarity, or is masked, as TAN does it;
    `both` is the mean of the two losses, for a network that serves both. `positives` is that of the loss.
    `channels_last` lays the network out as convolutions are fastest.
    """

    score: Literal["dot", "cosine"] = "dot"
    temperature: float = 1.0
    padding: Padding = "counts"
    positives: Literal["reference", "corrected"] = "corrected"
    channels_last: bool = True

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ConfigError(f"temperature must be above 0, not {self.temperature:g}")


class MilNceObjective(Objective):
    """An S3D with its loss; batches are those of `vidalign.training.data.clips.Clips`.

    Pixels are scaled as `recipe` says, as they will be when features are extracted.
    """

    def __init__(self, network: S3D, recipe: Recipe, options: MilNceOptions | None = None) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.options = options or MilNceOptions()
        if self.options.channels_last:
            network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(self, batch: Batch) -> Losses:
        """`loss`, and `right`: the share of clips whose best sentence of the batch is one of their own."""
        video = self.network(scale_pixels(batch["clips"], self.recipe))["video_embedding"]
        candidates = batch["candidates"]
        losses, right = zip(
            *(self._compared(video, text, candidates) for text in self._texts(batch["tokens"])), strict=True
        )
        return {"loss": torch.stack(losses).mean(), "right": torch.stack(right).mean()}

    def _texts(self, tokens: Tensor) -> list[Tensor]:
        """Sentence vectors (B, P, E), once for each way of treating padding."""
        ids = tokens.flatten(0, 1)
        choices: dict[Padding, list[Tensor | None]] = {
            "counts": [None],
            "masked": [ids > 0],
            "both": [None, ids > 0],
        }
        return [
            self.network.text_module(ids, mask).unflatten(0, tokens.shape[:2])
            for mask in choices[self.options.padding]
        ]

    def _compared(self, video: Tensor, text: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        if self.options.score == "cosine":
            video, text = F.normalize(video, dim=-1), F.normalize(text, dim=-1)
        loss = mil_nce(
            video,
            text,
            candidates,
            temperature=self.options.temperature,
            positives=self.options.positives,
        )
        with torch.no_grad():
            return loss, _share_right(video, text, candidates)


def _share_right(video: Tensor, text: Tensor, candidates: Tensor) -> Tensor:
    scores = torch.einsum("ie,jpe->ijp", video, text).float().masked_fill(~candidates, -torch.inf)
    own = torch.arange(len(video), device=video.device)
    return (scores.amax(2).argmax(1) == own)[candidates.any(1)].float().mean()


def ease_start(network: S3D) -> None:
    """Temporal convolutions begin near the identity and rectifiers mostly open.

    As its class initialises it, a narrow S3D, deep and without shortcuts, learns several times slower.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.ones_(module.bias)
        elif isinstance(module, nn.Conv3d) and name.endswith("conv2"):
            nn.init.dirac_(module.weight)
            with torch.no_grad():
                module.weight.add_(0.1 * module.in_channels**-0.5 * torch.randn_like(module.weight))

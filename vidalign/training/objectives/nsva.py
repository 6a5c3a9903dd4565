"""Training of NSVA (Li et al., ECCV 2024): which of all seconds of the batch shows a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from vidalign.aligners.scorers.nsva import NSVA
from vidalign.errors import ConfigError
from vidalign.training.jobs import Batch, Losses, Objective
from vidalign.training.losses.nce import contrast, masked_mean, positive_seconds


@dataclass(frozen=True, slots=True)
class NsvaOptions:
    """Negatives are the seconds of all videos of the batch, or of the sentence's own `video`."""

    temperature: float = 0.07
    negatives: Literal["batch", "video"] = "batch"

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ConfigError(f"temperature must be above 0, not {self.temperature}")


class NsvaObjective(Objective):
    """`network` with InfoNCE of each sentence over seconds after every decoder layer.

    The heads that no published loss reads, and the places of sentences that have none, are frozen.
    """

    def __init__(self, network: NSVA, options: NsvaOptions) -> None:
        super().__init__()
        self.network = network
        self.options = options
        unused = [network.alignable_head, network.timestamp_head]
        for part in unused if network.ordered else [*unused, network.text_pos_enc]:
            part.requires_grad_(False)

    def forward(self, batch: Batch) -> Losses:
        """`loss` over all decoder layers, `loss_last` of the last, of a batch of `NsvaVideos`."""
        seconds, sentences = ~batch["video_padding"], ~batch["text_padding"]
        across = self.options.negatives == "batch"
        cosines = self.network(
            batch["video"], batch["text"], batch["video_padding"], batch["text_padding"], across=across
        )
        positive = positive_seconds(batch["start"], batch["end"], seconds, sentences)
        logits = (cosines.permute(3, 0, 4, 1, 2) if across else cosines.permute(1, 0, 3, 2)) / (
            self.options.temperature
        )
        terms = contrast(logits, positive, seconds, sentences).sentences
        counted = positive.any(1)[:, None]
        return {"loss": masked_mean(terms, counted), "loss_last": _last(terms, counted)}


def _last(terms: Tensor, counted: Tensor) -> Tensor:
    with torch.no_grad():
        return masked_mean(terms[:, -1:], counted)

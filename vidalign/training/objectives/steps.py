"""VideoCLIP's network told when steps are shown, as VideoCLIP and TempCLR go on training on CrossTask."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidalign.aligners.scorers.videoclip import VideoCLIP
from vidalign.errors import ConfigError
from vidalign.training.data.step_videos import NOTHING
from vidalign.training.jobs import Batch, Losses, Objective
from vidalign.training.losses.sequence import Distance
from vidalign.training.losses.steps import (
    order_of_steps,
    other_sequences,
    seconds_by_steps,
    shuffled_frames,
)
from vidalign.training.objectives.tempclr import choose_trained
from vidalign.training.objectives.tempclr_options import Trained


@dataclass(frozen=True, slots=True)
class StepOptions:
    """Seconds against steps, and the seconds that show steps in order against other orders.

    `weight` is the share of the order's term in the loss, whose softened `distance` has softness `gamma`;
    `negatives` are the other orders, of at most `frames` seconds of each stretch that shows a step.
    `trained`: all weights, or those of the norms alone.
    """

    weight: float = 0.12
    distance: Distance = "dtw"
    negatives: int = 31
    frames: int = 10
    gamma: float = 0.1
    trained: Trained = "all"

    def __post_init__(self) -> None:
        if not 0 <= self.weight < 1:
            raise ConfigError(f"weight must lie between 0 and below 1, not {self.weight}")
        for name in ("negatives", "frames", "gamma"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be above 0, not {getattr(self, name)}")


class StepObjective(Objective):
    """A network whose seconds, in windows, are compared with the steps of their video's task."""

    def __init__(self, network: VideoCLIP, options: StepOptions) -> None:
        super().__init__()
        self.network = network
        self.options = options
        choose_trained(network, options.trained)

    def forward(self, batch: Batch) -> Losses:
        """`loss`, `loss_frames`, and with a weight `loss_sequence` and the share of `videos` that have other
        orders."""
        told = batch["seconds"] != NOTHING
        windows, steps = told.any(2), (batch["tokens"] != 0).any(2)
        ids = batch["tokens"][steps]
        video = self.network.embed_seconds(batch["video"][windows], told[windows])
        text = self.network.embed_text(ids, ids != 0)
        with torch.autocast(video.device.type, enabled=False):
            videos = torch.split(video.float(), windows.sum(1).tolist())
            texts = torch.split(text.float(), steps.sum(1).tolist())
            terms = [self._frames(batch, n, videos[n], texts[n]) for n in range(len(videos))]
            loss = torch.stack(terms).mean()
            losses = {"loss_frames": loss}
            if self.options.weight:
                sequence, share = self._sequences(batch, videos, texts)
                loss = (1 - self.options.weight) * loss + self.options.weight * sequence
                losses |= {"loss_sequence": sequence, "videos": share}
        return {"loss": loss, **losses}

    def _frames(self, batch: Batch, number: int, video: Tensor, text: Tensor) -> Tensor:
        """Of a video, each second in each window (N, t, C) that it is seen in."""
        seconds, seen = _seconds(batch, number, len(video))
        return seconds_by_steps(video[seen], text, batch["truth"][number, seconds, : len(text)])

    def _sequences(
        self, batch: Batch, videos: tuple[Tensor, ...], texts: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor]:
        """The mean over the videos that have other orders, 0 without any, and the share of these videos."""
        options = self.options
        generator = None if self.training else torch.Generator().manual_seed(0)
        terms = []
        for number, (video, text) in enumerate(zip(videos, texts, strict=True)):
            sequence, frames, stretch = (
                row[row != NOTHING] for row in (batch[name][number] for name in _NUMBERS)
            )
            orders = other_sequences(sequence.cpu(), options.negatives, generator)
            if not len(orders):
                continue
            mixed = shuffled_frames(stretch.cpu(), orders, generator)
            seconds, seen = _seconds(batch, number, len(video))
            tokens = averaged(video[seen], seconds, batch["truth"].shape[1])
            terms.append(
                order_of_steps(text[sequence], tokens[frames], mixed, options.distance, options.gamma)
            )
        share = torch.tensor(len(terms) / len(videos), device=videos[0].device)
        return torch.stack(terms).mean() if terms else torch.zeros_like(share), share


_NUMBERS = ("sequence", "frames", "stretch")


def _seconds(batch: Batch, number: int, windows: int) -> tuple[Tensor, Tensor]:
    """Seconds (M,) of a video's windows, one after the other, and where they are (N, t)."""
    seconds = batch["seconds"][number, :windows]
    seen = seconds != NOTHING
    return seconds[seen], seen


def averaged(tokens: Tensor, seconds: Tensor, count: int) -> Tensor:
    """Tokens (M, C) of seconds (M,) -> (count, C): the mean of those of one second, 0 without any."""
    sums = tokens.new_zeros(count, tokens.shape[1]).index_add(0, seconds, tokens)
    return sums / torch.bincount(seconds, minlength=count).clamp(min=1)[:, None]

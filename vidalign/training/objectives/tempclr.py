"""Training VideoCLIP's network: TempCLR (Yang et al., ICLR 2023) and Norton (Lin et al., ICLR 2024)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidalign.aligners.scorers.videoclip import VideoCLIP, mean_tokens
from vidalign.training.jobs import Batch, Losses, Objective
from vidalign.training.losses.clip_caption import clip_caption, top_share
from vidalign.training.losses.sequence import other_orders, pick_evenly, sequence_contrast
from vidalign.training.losses.transport import blocks, rectified, token_similarity, transported
from vidalign.training.objectives.tempclr_options import (
    SequenceOptions,
    TempclrOptions,
    Trained,
    TransportOptions,
)

NORM = "LayerNorm"
"""What names of the norms' weights hold."""


def choose_trained(network: VideoCLIP, trained: Trained) -> None:
    """Freeze what is not to be trained, and the poolers, which nothing reads."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(".pooler." not in name and (trained == "all" or NORM in name))


def make_objective(network: VideoCLIP, options: TempclrOptions) -> ClipObjective:
    """The objective that is asked for; the rest of the network is frozen."""
    if options.objective == "norton":
        return NortonObjective(network, options.transport, options.trained)
    return TempclrObjective(network, options.sequence, options.trained)


class ClipObjective(Objective):
    """A network that clips and captions go through; `temperature` is what its scores are divided by."""

    def __init__(self, network: VideoCLIP, trained: Trained) -> None:
        super().__init__()
        self.network = network
        choose_trained(network, trained)

    @property
    def temperature(self) -> float | None:
        """None where none is learned."""
        return None

    def vectors(self, batch: Batch) -> Tensor:
        """(B, width): the mean of a video's clips and captions, by which VideoCLIP compares videos."""
        video, text = self._pooled(batch)
        mean: Tensor = (video + text).view(*batch["apart"].shape, -1).mean(dim=1) / 2
        return mean

    def _pooled(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Clips and captions (B * C, width) each, in single precision."""
        flat = [batch[name].flatten(0, 1) for name in ("video", "video_mask", "tokens", "text_mask")]
        found = self.network(*flat)
        return found["pooled_video"].float(), found["pooled_text"].float()


class TempclrObjective(ClipObjective):
    """Clips with captions of the whole batch, and each video's captions in order against other orders."""

    def __init__(self, network: VideoCLIP, options: SequenceOptions, trained: Trained) -> None:
        super().__init__(network, trained)
        self.options = options

    def forward(self, batch: Batch) -> Losses:
        """`loss`, `loss_clip`, and with a weight `loss_sequence` and the share of `videos` that have one."""
        video, text = self._pooled(batch)
        with torch.autocast(video.device.type, enabled=False):
            scores = video @ text.mT
            loss = clip_caption(scores)
            losses = {"loss_clip": loss, "accuracy": top_share(scores)}
            if self.options.weight:
                sequence, share = self._sequence(video, text, batch["apart"])
                loss = (1 - self.options.weight) * loss + self.options.weight * sequence
                losses |= {"loss_sequence": sequence, "videos": share}
        return {"loss": loss, **losses}

    def _sequence(self, video: Tensor, text: Tensor, apart: Tensor) -> tuple[Tensor, Tensor]:
        """The mean over the videos with enough clips, 0 without any, and the share of these videos."""
        options = self.options
        generator = None if self.training else torch.Generator().manual_seed(0)
        videos, clips = pick_evenly(apart, options.clips)
        share = torch.tensor(len(videos) / len(apart), device=video.device)
        if not len(videos):
            return torch.zeros_like(share), share
        rows = videos[:, None] * apart.shape[1] + clips
        orders = other_orders(options.clips, options.negatives, generator)
        terms = sequence_contrast(text[rows], video[rows], orders, options.distance, options.gamma)
        return terms.mean(), share


class NortonObjective(ClipObjective):
    """Clips with captions, whose targets transport corrects, and sequences of clips with paragraphs."""

    def __init__(self, network: VideoCLIP, options: TransportOptions, trained: Trained) -> None:
        super().__init__(network, trained)
        self.options = options
        self.log_temperature = nn.Parameter(torch.tensor(math.log(options.temperature)))

    @property
    def temperature(self) -> float:
        """What was learned."""
        return float(self.log_temperature.detach().exp())

    def forward(self, batch: Batch) -> Losses:
        """`loss`, `loss_clip`, `loss_paragraph` and `temperature`."""
        options = self.options
        similarity = self._similarity(batch)
        with torch.autocast(similarity.device.type, enabled=False):
            temperature = self.log_temperature.exp()
            targets = rectified(similarity, options.rectify, options.epsilon, options.iterations)
            clip = clip_caption(similarity / temperature, targets)
            sequences = blocks(similarity, options.clips)
            gains = transported(sequences, options.bucket, options.epsilon, options.iterations)
            paragraph = clip_caption(gains / temperature)
        return {
            "loss": clip + options.weight * paragraph,
            "loss_clip": clip,
            "loss_paragraph": paragraph,
            "accuracy": top_share(similarity),
            "temperature": temperature.detach(),
        }

    def _similarity(self, batch: Batch) -> Tensor:
        """Of all clips with all captions (N, N)."""
        video, seen, ids, said = (
            batch[name].flatten(0, 1) for name in ("video", "video_mask", "tokens", "text_mask")
        )
        clips = self.network.encode_video(video, seen)[:, 1:]
        captions = self.network.encode_text(ids, said)[:, 1:]
        seen, said = torch.cat([seen, seen.new_ones(len(seen), 1)], dim=1), said[:, 1:]
        with torch.autocast(video.device.type, enabled=False):
            clips, captions, fusion = clips.float(), captions.float(), self.options.fusion
            coarse = (
                F.normalize(mean_tokens(clips, seen), dim=-1)
                @ F.normalize(mean_tokens(captions, said), dim=-1).mT
            )
            fine = token_similarity(clips, seen, captions, said, self.options.alpha)
            return fusion * fine + (1 - fusion) * coarse

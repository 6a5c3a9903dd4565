"""Training of the temporal alignment network, both stages (Han, Xie, Zisserman, CVPR 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidalign.aligners.scorers.tan import POSITIONS, TAN, Starts
from vidalign.errors import ConfigError
from vidalign.training.jobs import Batch, Losses, Objective
from vidalign.training.losses.nce import own_window
from vidalign.training.objectives.tan_losses import Spoken, tan_losses
from vidalign.training.objectives.tan_options import TanOptions
from vidalign.training.twin import Teacher

NO_START: Starts = (0, 0, 0)


class TanObjective(Objective):
    """`network` with the losses of its stage; in cotrain `teacher` is its averaged copy, begun as it is now.

    Whatever the options leave without a gradient is frozen, so that every trainable parameter gets one in
    every step. Raises ConfigError where the network lacks what the options ask.
    """

    def __init__(self, network: TAN, options: TanOptions) -> None:
        super().__init__()
        if options.head and network.binary_head is None:
            raise ConfigError(
                "head is trained, but the network has none", hint="set head: true in the network"
            )
        self.network = network
        self.options = options
        _freeze(network, options)
        self.teacher = Teacher(network, options.momentum) if options.stage == "cotrain" else None

    def forward(self, batch: Batch) -> Losses:
        """The losses of a batch of `TanWindows`; see `tan_losses`."""
        vectors = self._sentences(self.network, batch["tokens"])
        outputs = self.network(
            batch["video"],
            vectors,
            batch["video_padding"],
            batch["text_padding"],
            starts=self._starts(batch),
            across=self.options.negatives != "video",
            encoders=self.options.encoders,
        )
        if self.options.negatives == "split" and "logits_joint" in outputs:
            outputs["logits_joint"] = own_window(outputs["logits_joint"])
        return tan_losses(outputs, self._taught(batch, vectors), Spoken.of(batch), self.options)

    def after_step(self) -> None:
        """The teacher moves."""
        if self.teacher is not None:
            self.teacher.follow(self.network)

    def decay_names(self) -> dict[str, nn.Parameter]:
        """What is trained, under the published names: bare in init, `online.` in cotrain."""
        prefix = "" if self.teacher is None else "online."
        return {prefix + name: p for name, p in self.network.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def _taught(self, batch: Batch, vectors: Tensor) -> dict[str, Tensor] | None:
        if self.teacher is None:
            return None
        if self.options.teacher_words == "corrected":
            vectors = self._sentences(self.teacher.network, batch["tokens"])
        outputs: dict[str, Tensor] = self.teacher.network(
            batch["video"], vectors, batch["video_padding"], batch["text_padding"], across=False
        )
        return outputs

    def _sentences(self, network: TAN, tokens: Tensor) -> Tensor:
        """Vectors (B, N, text_dim) of token ids (B, N, W); words that no sentence has are not computed."""
        used = (tokens > 0).flatten(0, 1).any(0).nonzero()
        longest = int(used.max()) + 1 if len(used) else 1
        vectors = network.embed_text(tokens[..., :longest].flatten(0, 1))
        return vectors.view(*tokens.shape[:2], -1)

    def _starts(self, batch: Batch) -> Starts:
        if not (self.training and self.options.random_start):
            return NO_START
        seconds, sentences = batch["video"].shape[1], batch["tokens"].shape[1]
        return _random_row(seconds), _random_row(seconds), _random_row(sentences)


def _random_row(length: int) -> int:
    """A row under `length` / 2 that leaves `length` in the table; from torch's global generator."""
    return int(torch.randint(max(1, min(length // 2, POSITIONS - length + 1)), ()))


def _freeze(network: TAN, options: TanOptions) -> None:
    """No gradient for what the loss does not reach."""
    unused: list[nn.Module | nn.Parameter | None] = [network.mlp]
    if not network.text_positions:
        unused.append(network.text_temporal_pos_embed)
    if not options.head:
        unused.append(network.binary_head)
    if options.freeze_words:
        unused += [part for part in network.bert.modules() if isinstance(part, nn.Embedding)]
    if options.encoders == "dual":
        unused += [network.joint_temporal_encoder, network.ln_joint_post_enc]
    if not len(network.video_temporal_encoder.resblocks):
        unused.append(network.ln_video_post_enc)
        if options.encoders == "dual":
            unused += [network.temporal_pos_embed, network.ln_position_init]
    if options.encoders == "joint":
        unused += [network.video_temporal_encoder, network.ln_video_post_enc]
    if options.policy == "bce":
        network.requires_grad_(False)
        unused = []
        if network.binary_head is not None:
            network.binary_head.requires_grad_(True)
    for part in unused:
        if part is not None:
            part.requires_grad_(False)

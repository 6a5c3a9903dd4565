"""How a TAN begins: from the towers of a MIL-NCE backbone, and near the identity."""

from __future__ import annotations

import torch
from torch import Tensor

from vidalign.aligners.scorers.tan import TAN, Block
from vidalign.backbones.s3d import S3D
from vidalign.backbones.word2vec import Word2VecText
from vidalign.errors import ConfigError


@torch.no_grad()
def warm_start(tan: TAN, s3d: S3D) -> None:
    """TAN's sentence encoder and projections become those of `s3d`, changed in place.

    Before its first layer TAN then compares what the backbone does, but for its norms and the bias of the
    backbone's last layer. Features may be `mixed_5c` or `video_embedding`. Raises ConfigError where widths
    differ.
    """
    _copy_sentence_encoder(tan, s3d)
    text = torch.eye(tan.text_pre_proj.in_features)
    _copy_projection("text_dim", tan.text_pre_proj.weight, text)
    video = s3d.fc.weight
    if tan.video_pre_proj.in_features != s3d.fc.in_features:
        video = torch.eye(s3d.fc.out_features)
    _copy_projection("video_dim", tan.video_pre_proj.weight, video)


@torch.no_grad()
def small_residual(tan: TAN, scale: float) -> None:
    """Multiply what every block adds to its input, and what positions add to tokens, by `scale`, in place."""
    tan.ln_position_init.weight.mul_(scale)
    tan.ln_position_init.bias.mul_(scale)
    for block in (module for module in tan.modules() if isinstance(module, Block)):
        for linear in (block.attn.out_proj, block.mlp.c_proj):
            linear.weight.mul_(scale)
            linear.bias.mul_(scale)


def _copy_sentence_encoder(tan: TAN, s3d: S3D) -> None:
    if not isinstance(tan.bert, Word2VecText):
        raise ConfigError("a warm start needs text: word2vec; a MIL-NCE backbone has no BERT")
    theirs = s3d.text_module.state_dict()
    for name, mine in tan.bert.state_dict().items():
        if mine.shape != theirs[name].shape:
            raise ConfigError(
                f"the backbone's sentence encoder does not fit: {name} is {tuple(theirs[name].shape)}, "
                f"TAN's is {tuple(mine.shape)}",
                hint="give TAN its vocabulary, word_dim and text_hidden, and its embedding as text_dim",
            )
    tan.bert.load_state_dict(theirs)


def _copy_projection(name: str, mine: Tensor, theirs: Tensor) -> None:
    """Raises ConfigError where shapes differ."""
    if mine.shape != theirs.shape:
        raise ConfigError(
            f"a warm start needs TAN of width {theirs.shape[0]} and {name} {theirs.shape[1]}, "
            f"not {mine.shape[0]} and {mine.shape[1]}"
        )
    mine.copy_(theirs)

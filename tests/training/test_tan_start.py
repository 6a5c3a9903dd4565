from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from vidalign.aligners.scorers.tan import TAN
from vidalign.backbones.s3d import S3D
from vidalign.errors import ConfigError
from vidalign.training.objectives.tan_start import small_residual, warm_start


def backbone() -> S3D:
    torch.manual_seed(0)
    return S3D(width=0.0625, embedding=16, vocabulary=20, word_dim=6, text_hidden=12)


def network(s3d: S3D, **changes: Any) -> TAN:
    torch.manual_seed(1)
    config: dict[str, Any] = {"width": 16, "heads": 2, "video_layers": 2, "joint_layers": 3, "text_dim": 16}
    config |= {"vocabulary": 20, "word_dim": 6, "text_hidden": 12, "video_dim": s3d.fc.in_features}
    return TAN(**{**config, **changes})


def test_towers_begin_as_the_backbones() -> None:
    s3d = backbone()
    tan = network(s3d)
    warm_start(tan, s3d)
    features, ids = torch.randn(5, s3d.fc.in_features), torch.randint(1, 20, (4, 7))
    sentences = s3d.text_module(ids, ids > 0)
    torch.testing.assert_close(tan.embed_text(ids), sentences)
    torch.testing.assert_close(tan.text_pre_proj(tan.embed_text(ids)), sentences)
    torch.testing.assert_close(tan.video_pre_proj(features), s3d.fc(features) - s3d.fc.bias)
    assert tan.bert.fc1.weight.data_ptr() != s3d.text_module.fc1.weight.data_ptr()
    assert tan.video_pre_proj.weight.requires_grad


def test_embeddings_as_features_are_taken_as_they_are() -> None:
    s3d = backbone()
    tan = network(s3d, video_dim=16)
    warm_start(tan, s3d)
    features = torch.randn(5, 16)
    torch.testing.assert_close(tan.video_pre_proj(features), features)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"vocabulary": 21}, r"word_embd.weight is \(20, 6\), TAN's is \(21, 6\)"),
        ({"text_hidden": 13}, "fc1.weight"),
        ({"width": 32}, "width 16 and text_dim 16, not 32 and 16"),
        ({"video_dim": 11}, "width 16 and video_dim 16, not 16 and 11"),
    ],
)
def test_widths_that_do_not_fit(changes: dict[str, Any], complaint: str) -> None:
    s3d = backbone()
    with pytest.raises(ConfigError, match=complaint):
        warm_start(network(s3d, **changes), s3d)


def test_a_bert_cannot_begin_as_a_backbone() -> None:
    s3d = backbone()
    with torch.device("meta"):
        tan = network(s3d, text="bert", text_dim=768)
    with pytest.raises(ConfigError, match="text: word2vec"):
        warm_start(tan, s3d)


def test_without_residuals_every_stage_is_the_normed_input() -> None:
    tan = network(backbone())
    small_residual(tan, 0.0)
    tokens = torch.randn(2, 6, 16)
    stages = tan.encode_video(tokens)
    for stage in stages.unbind(1):
        torch.testing.assert_close(stage, F.layer_norm(tokens, (16,)))


def test_residuals_are_scaled() -> None:
    tan = network(backbone())
    block = tan.joint_temporal_encoder.resblocks[2]
    before = block.mlp.c_proj.weight.clone(), block.attn.in_proj_weight.clone()
    small_residual(tan, 0.25)
    torch.testing.assert_close(block.mlp.c_proj.weight, before[0] / 4)
    assert torch.equal(block.attn.in_proj_weight, before[1])

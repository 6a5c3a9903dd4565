"""What training asks of the network beyond what inference does."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vidalign.aligners.scorers.tan import TAN

SECONDS, SENTENCES = 7, 3


@pytest.fixture(scope="module")
def tan() -> TAN:
    torch.manual_seed(0)
    return TAN(16, 2, 2, 3, 10, 8, 20, 6, 12, text_positions=True)


@pytest.fixture(scope="module")
def inputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(2, SECONDS, 10, generator=generator),
        torch.randn(2, SENTENCES, 8, generator=generator),
    )


def test_inside_windows_the_cosines_are_those_of_the_same_window(
    tan: TAN, inputs: tuple[Tensor, Tensor]
) -> None:
    across, inside = tan(*inputs), tan(*inputs, across=False)
    for name in ("logits_dual", "logits_joint"):
        for window in range(2):
            torch.testing.assert_close(inside[name][window], across[name][window, :, :, window])


def test_one_encoder_alone_gives_its_own_outputs(tan: TAN, inputs: tuple[Tensor, Tensor]) -> None:
    both = tan(*inputs)
    alone = {name: tan(*inputs, encoders=name) for name in ("dual", "joint")}
    assert set(alone["dual"]) | set(alone["joint"]) == set(both)
    for name, outputs in alone.items():
        assert all(key.split("_")[0] == name or key == f"logits_{name}" for key in outputs)
        for key, value in outputs.items():
            torch.testing.assert_close(value, both[key], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("starts", "moved"),
    [((3, 0, 0), ["logits_dual"]), ((0, 3, 0), ["logits_joint"]), ((0, 0, 3), ["logits_joint"])],
)
def test_positions_begin_where_they_are_told(
    tan: TAN, inputs: tuple[Tensor, Tensor], starts: tuple[int, int, int], moved: list[str]
) -> None:
    still, shifted = tan(*inputs), tan(*inputs, starts=starts)
    assert [key for key in ("logits_dual", "logits_joint") if not still[key].equal(shifted[key])] == moved
    assert tan.positions(tan.temporal_pos_embed, 4, None, 3).equal(
        tan.positions(tan.temporal_pos_embed, 7, None)[3:]
    )


def test_positions_end_with_the_table(tan: TAN) -> None:
    assert len(tan.positions(tan.temporal_pos_embed, 4, None, 1020)) == 4
    with pytest.raises(ValueError, match="1025 positions"):
        tan.positions(tan.temporal_pos_embed, 4, None, 1021)


def test_it_begins_as_published() -> None:
    torch.manual_seed(2)
    tan = TAN(vocabulary=10, word_dim=4, text_hidden=4, video_layers=1, joint_layers=4)
    for block in (tan.video_temporal_encoder.resblocks[0], tan.joint_temporal_encoder.resblocks[3]):
        spread = {
            block.attn.in_proj_weight: 512**-0.5,
            block.attn.out_proj.weight: 512**-0.5 * 8**-0.5,
            block.mlp.c_proj.weight: 512**-0.5 * 8**-0.5,
            block.mlp.c_fc.weight: 1024**-0.5,
        }
        for weight, std in spread.items():
            assert weight.std().item() == pytest.approx(std, rel=0.02)
        assert not block.attn.in_proj_bias.any()
        assert not block.attn.out_proj.bias.any()
        assert block.mlp.c_fc.bias.any()
    small = [tan.video_pre_proj, tan.text_pre_proj, tan.mlp, tan.binary_head]
    for weight in (*(part.weight for part in small), tan.temporal_pos_embed, tan.text_temporal_pos_embed):
        assert weight.std().item() == pytest.approx(0.01, rel=0.15)
    assert not tan.mlp.bias.any()
    assert not tan.binary_head.bias.any()

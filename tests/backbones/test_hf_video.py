"""VideoMAE and V-JEPA 2: the mean of transformers' tokens, and the pooling of fine-tuned models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers.models.videomae import modeling_videomae as videomae
from transformers.models.videomae.configuration_videomae import VideoMAEConfig
from transformers.models.vjepa2 import modeling_vjepa2 as vjepa2
from transformers.models.vjepa2.configuration_vjepa2 import VJEPA2Config

from tests.hf_models import VJEPA2 as VJEPA2_VALUES
from tests.hf_models import clips, randomised, videomae_values
from vidalign.backbones.hf_video import VJEPA2, VideoMAE, videomae_names, vjepa2_names

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def saved(network: Any, folder: Path) -> dict[str, torch.Tensor]:
    """The state dict as a file on the hub names it."""
    network.save_pretrained(folder)
    return load_file(folder / "model.safetensors")


def filled(made: Any, values: dict[str, Any], tensors: dict[str, torch.Tensor], **more: Any) -> Any:
    with torch.device("meta"):
        ours = made(**values, **more)
    ours.load_state_dict(tensors, strict=True, assign=True)
    return ours.eval()


@pytest.mark.parametrize("mean_pooling", [True, False])
def test_videomae_is_the_mean_of_the_tokens(tmp_path: Path, mean_pooling: bool) -> None:
    values = videomae_values(mean_pooling=mean_pooling)
    theirs = randomised(videomae.VideoMAEForPreTraining(VideoMAEConfig(**values)))
    tensors = saved(theirs, tmp_path)
    assert any(name.endswith("q_bias") for name in tensors), "the hub's names of biases are older"
    ours = filled(VideoMAE, values, videomae_names(tensors), size=32, frames=4)
    with torch.inference_mode():
        tokens = theirs.videomae(clips().transpose(1, 2)).last_hidden_state
        found = ours(clips())
    assert tokens.std() > 0.1
    torch.testing.assert_close(found["mean_tokens"], tokens.mean(dim=1), **CLOSE)
    assert set(found) == set(ours.layers) == {"mean_tokens"}


def test_a_fine_tuned_videomae_has_its_own_pooling_too(tmp_path: Path) -> None:
    values = videomae_values()
    theirs = randomised(videomae.VideoMAEForVideoClassification(VideoMAEConfig(**values)))
    ours = filled(VideoMAE, values, videomae_names(saved(theirs, tmp_path)), classifier=True)
    with torch.inference_mode():
        expected = theirs(clips().transpose(1, 2)).logits
        torch.testing.assert_close(theirs.classifier(ours(clips())["pooled"]), expected, **CLOSE)


def test_vjepa2_is_the_mean_of_the_encoders_tokens(tmp_path: Path) -> None:
    theirs = randomised(vjepa2.VJEPA2Model(VJEPA2Config(**VJEPA2_VALUES)))
    ours = filled(VJEPA2, VJEPA2_VALUES, vjepa2_names(saved(theirs, tmp_path)), size=32)
    with torch.inference_mode():
        tokens = theirs.get_vision_features(clips().transpose(1, 2))
        found = ours(clips())
    assert tokens.std() > 0.1
    torch.testing.assert_close(found["mean_tokens"], tokens.mean(dim=1), **CLOSE)
    assert set(found) == set(ours.layers) == {"mean_tokens"}


def test_a_fine_tuned_vjepa2_has_its_attentive_pooling_too(tmp_path: Path) -> None:
    theirs = randomised(vjepa2.VJEPA2ForVideoClassification(VJEPA2Config(**VJEPA2_VALUES)))
    ours = filled(VJEPA2, VJEPA2_VALUES, vjepa2_names(saved(theirs, tmp_path)), classifier=True)
    with torch.inference_mode():
        expected = theirs(clips().transpose(1, 2)).logits
        torch.testing.assert_close(theirs.classifier(ours(clips())["pooled"]), expected, **CLOSE)

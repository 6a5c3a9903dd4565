"""Pairs from transformers give what transformers' own calls give, by the same names, strictly loaded."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers.models.clip.configuration_clip import CLIPConfig
from transformers.models.clip.modeling_clip import CLIPModel
from transformers.models.siglip.configuration_siglip import SiglipConfig
from transformers.models.siglip.modeling_siglip import SiglipModel
from transformers.models.siglip2.configuration_siglip2 import Siglip2Config
from transformers.models.siglip2.image_processing_pil_siglip2 import convert_image_to_patches
from transformers.models.siglip2.modeling_siglip2 import Siglip2Model
from transformers.models.x_clip.configuration_x_clip import XCLIPConfig
from transformers.models.x_clip.modeling_x_clip import XCLIPModel

from tests.hf_models import clip_values, clips, ids, randomised, siglip_values, xclip_values
from vidalign.backbones.hf_pairs import CLIP, XCLIP, Pair, SigLIP, SigLIP2, names

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def loaded(made: type[Pair], values: dict[str, Any], theirs: Any, **more: Any) -> Any:
    """Ours, made without numbers and filled with theirs, as the registry does it."""
    with torch.device("meta"):
        ours = made(**values, **more)
    ours.load_state_dict(names(theirs.state_dict()), strict=True, assign=True)
    assert not [name for name, held in (*ours.named_buffers(), *ours.named_parameters()) if held.is_meta]
    return ours.eval()


@pytest.fixture(scope="module")
def clip() -> tuple[Any, Any]:
    theirs = randomised(CLIPModel(CLIPConfig(**clip_values())))
    return loaded(CLIP, clip_values(), theirs, size=32), theirs


@pytest.fixture(scope="module")
def siglip() -> tuple[Any, Any]:
    theirs = randomised(SiglipModel(SiglipConfig(**siglip_values())))
    return loaded(SigLIP, siglip_values(), theirs, size=32), theirs


@pytest.fixture(scope="module")
def naflex() -> tuple[Any, Any]:
    values = siglip_values(naflex=True)
    theirs = randomised(Siglip2Model(Siglip2Config(**values)))
    return loaded(SigLIP2, values, theirs, size=32), theirs


@pytest.fixture(scope="module")
def xclip() -> tuple[Any, Any]:
    theirs = randomised(XCLIPModel(XCLIPConfig(**xclip_values())))
    return loaded(XCLIP, xclip_values(), theirs, size=32, frames=4), theirs


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_pictures_are_those_of_get_image_features(kind: str, request: pytest.FixtureRequest) -> None:
    ours, theirs = request.getfixturevalue(kind)
    given = clips(frames=1)
    with torch.inference_mode():
        found = ours(given)["image_embeds"]
        expected = theirs.get_image_features(pixel_values=given[:, :, 0]).pooler_output
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, **CLOSE)
    assert found.shape[1] == ours.layers["image_embeds"]


def test_patches_of_naflex_are_cut_as_its_processor_cuts_them(naflex: tuple[Any, Any]) -> None:
    ours, theirs = naflex
    given = clips(frames=1)
    patches = torch.stack([torch.from_numpy(convert_image_to_patches(p.numpy(), 16)) for p in given[:, :, 0]])
    with torch.inference_mode():
        expected = theirs.get_image_features(
            pixel_values=patches,
            pixel_attention_mask=torch.ones(2, 4, dtype=torch.long),
            spatial_shapes=torch.tensor([[2, 2], [2, 2]]),
        ).pooler_output
        torch.testing.assert_close(ours(given)["image_embeds"], expected, **CLOSE)


def test_clips_are_those_of_get_video_features(xclip: tuple[Any, Any]) -> None:
    ours, theirs = xclip
    given = clips()
    with torch.inference_mode():
        expected = theirs.get_video_features(pixel_values=given.transpose(1, 2)).pooler_output
        torch.testing.assert_close(ours(given)["video_embeds"], expected, **CLOSE)
        assert not torch.allclose(ours(given.flip(2))["video_embeds"], expected, atol=1e-3), "order counts"


@pytest.mark.parametrize("kind", ["clip", "siglip", "naflex", "xclip"])
def test_sentences_are_those_of_get_text_features(kind: str, request: pytest.FixtureRequest) -> None:
    ours, theirs = request.getfixturevalue(kind)
    tokens, mask = ids()
    with torch.inference_mode():
        attended = {} if ours.whole_length else {"attention_mask": mask}
        expected = theirs.get_text_features(input_ids=tokens, **attended).pooler_output
        torch.testing.assert_close(ours.encode_text(tokens, mask), expected, **CLOSE)
    assert (ours.vocabulary, ours.tokens) == (60, 12)


def test_padding_of_clip_plays_no_part(clip: tuple[Any, Any]) -> None:
    tokens, mask = ids()
    longer = torch.nn.functional.pad(tokens, (0, 3), value=1)
    with torch.inference_mode():
        found = clip[0].encode_text(longer, torch.nn.functional.pad(mask, (0, 3)))
        torch.testing.assert_close(found, clip[0].encode_text(tokens, mask), **CLOSE)


def test_several_frames_are_their_mean(clip: tuple[Any, Any]) -> None:
    given = clips(frames=3)
    with torch.inference_mode():
        whole = clip[0](given)
        single = [clip[0](given[:, :, n : n + 1]) for n in range(3)]
    for layer in ("image_embeds", "pooled"):
        torch.testing.assert_close(whole[layer], sum(one[layer] for one in single) / 3, **CLOSE)


def test_pooled_features_are_projected_later_as_at_once(clip: tuple[Any, Any]) -> None:
    with torch.inference_mode():
        layers = clip[0](clips(frames=1))
        torch.testing.assert_close(clip[0].project(layers["pooled"]), layers["image_embeds"], **CLOSE)
        assert clip[0].project(layers["image_embeds"]) is layers["image_embeds"]
        assert clip[0].project(torch.zeros(2, 11)) is None


def test_the_temperature_is_the_weights_own(clip: tuple[Any, Any]) -> None:
    ours, theirs = clip
    assert ours.temperature == pytest.approx(1 / theirs.logit_scale.exp().item())


def test_counters_of_positions_in_older_files_are_left_out(clip: tuple[Any, Any]) -> None:
    older = dict(clip[1].state_dict())
    older["text_model.embeddings.position_ids"] = torch.arange(12)[None]
    assert set(names(older)) == set(clip[0].state_dict()) == set(clip[1].state_dict())

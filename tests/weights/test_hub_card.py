"""A folder as a hub serves it becomes a card: its recipe is its preprocessor, its layers its config."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any

import pytest

from vidalign.backbones.registry import build, state_shapes
from vidalign.backbones.spec import check_recipe
from vidalign.errors import ConfigError, ModelError
from vidalign.types import Recipe
from vidalign.weights.cards import ModelCard, get_card

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)


def folder(
    path: Path, config: dict[str, Any], pre: dict[str, Any] | None = None, weights: str = "model.safetensors"
) -> Path:
    """config.json, empty weights and what the preprocessor does."""
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps(config), "utf-8")
    if pre is not None:
        (path / "preprocessor_config.json").write_text(json.dumps(pre), "utf-8")
    (path / weights).touch()
    return path


def recipe_of(card: ModelCard) -> Recipe:
    assert card.backbone is not None
    check_recipe(card.backbone, card.backbone.recipe, card.name)
    return card.backbone.recipe


OPENAI = {
    "_commit_hash": None,
    "architectures": ["CLIPModel"],
    "initializer_factor": 1.0,
    "logit_scale_init_value": 2.6592,
    "model_type": "clip",
    "projection_dim": 512,
    "text_config": {
        "_name_or_path": "",
        "add_cross_attention": False,
        "bad_words_ids": None,
        "bos_token_id": 0,
        "diversity_penalty": 0.0,
        "eos_token_id": 2,
        "hidden_act": "quick_gelu",
        "hidden_size": 512,
        "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
        "intermediate_size": 2048,
        "layer_norm_eps": 1e-05,
        "max_position_embeddings": 77,
        "model_type": "clip_text_model",
        "num_attention_heads": 8,
        "num_hidden_layers": 12,
        "pad_token_id": 1,
        "torchscript": False,
        "use_bfloat16": False,
        "vocab_size": 49408,
    },
    "text_config_dict": None,
    "transformers_version": None,
    "vision_config": {
        "hidden_act": "quick_gelu",
        "hidden_size": 768,
        "image_size": 224,
        "intermediate_size": 3072,
        "model_type": "clip_vision_model",
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
        "patch_size": 32,
        "return_dict": True,
        "torch_dtype": None,
    },
    "vision_config_dict": None,
}
"""A config.json in the manner of 2021."""


def test_the_hubs_clip_is_the_card_of_the_package(tmp_path: Path) -> None:
    pre = {"crop_size": 224, "do_center_crop": True, "do_normalize": True, "do_resize": True}
    pre |= {"image_mean": CLIP_MEAN, "image_std": [0.26862954, 0.26130258, 0.27577711]}
    card = get_card(str(folder(tmp_path / "clip", OPENAI, {**pre, "resample": 3, "size": 224})))
    ours = get_card("clip-vit-b32")
    assert ours.backbone is not None and card.backbone is not None
    assert recipe_of(card).differences(recipe_of(ours)) == []
    assert state_shapes(card.backbone) == state_shapes(ours.backbone)
    assert card.backbone.layers == ours.backbone.layers
    assert card.aligner is not None and ours.aligner is not None
    assert (card.aligner.config, card.aligner.text) == (ours.aligner.config, ours.aligner.text)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("clip-vit-b32", 151_277_313), ("siglip2-b16", 375_187_970), ("xclip-b32", 196_585_729)],
)
def test_cards_of_the_package_have_the_published_size(name: str, parameters: int) -> None:
    card = get_card(name)
    assert card.backbone is not None
    assert sum(prod(shape) for shape in state_shapes(card.backbone).values()) == parameters
    recipe_of(card)


def test_what_a_config_leaves_out_is_the_kinds_default(tmp_path: Path) -> None:
    values = {"model_type": "siglip", "text_config": {}, "vision_config": {"image_size": 256}}
    card = get_card(str(folder(tmp_path / "siglip", values)))
    recipe = recipe_of(card)
    assert card.backbone is not None and card.backbone.layers == {"image_embeds": 768}
    assert (recipe.resize, recipe.size, recipe.crop, recipe.interpolation) == (
        "exact",
        256,
        "none",
        "bicubic",
    )
    assert recipe.mean == recipe.std == (0.5, 0.5, 0.5)
    assert recipe.name == "siglip-1fps-256" and recipe.fps == recipe.frames == 1


def test_clips_have_the_frames_of_a_video_model(tmp_path: Path) -> None:
    xclip = get_card(
        str(folder(tmp_path / "x", {"model_type": "xclip", "vision_config": {"num_frames": 16}}))
    )
    recipe = recipe_of(xclip)
    assert (recipe.frames, recipe.fps, recipe.stride, recipe.tail) == (16, 8, 1, "repeat")
    assert xclip.backbone is not None
    eight = Recipe.from_json(recipe.to_json().replace('"frames":16', '"frames":8'))
    with pytest.raises(ConfigError, match=r"frames is 8, but .* takes 16 only"):
        check_recipe(xclip.backbone, eight, "xclip")
    jepa = get_card(str(folder(tmp_path / "jepa", {"model_type": "vjepa2", "frames_per_clip": 16})))
    recipe = recipe_of(jepa)
    assert (recipe.frames, recipe.fps, recipe.size, recipe.crop_size) == (16, 4, 292, 256)
    assert jepa.aligner is None and jepa.uses == ("extract",)


@pytest.mark.parametrize("kind", ["videomae", "vjepa2"])
def test_fine_tuned_video_models_have_their_own_pooling_first(kind: str, tmp_path: Path) -> None:
    tuned = {"videomae": "VideoMAEForVideoClassification", "vjepa2": "VJEPA2ForVideoClassification"}[kind]
    small = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "model_type": kind}
    small |= {"pred_num_hidden_layers": 1, "num_pooler_layers": 1} if kind == "vjepa2" else {}
    bare = get_card(str(folder(tmp_path / "bare", small)))
    own = get_card(str(folder(tmp_path / "own", {**small, "architectures": [tuned]})))
    assert recipe_of(bare).layer == "mean_tokens" and recipe_of(own).layer == "pooled"
    for card in (bare, own):
        assert card.backbone is not None
        assert build(card.backbone).layers == card.backbone.layers


@pytest.mark.parametrize(
    ("pre", "message"),
    [
        ({"resample": 1}, "filter 1 of PIL"),
        ({"rescale_factor": 1.0}, "pixels are scaled by 1.0"),
        ({"crop_size": {"height": 224, "width": 112}}, "not square"),
        ({"size": {"shortest_edge": 100}}, "crop_size 224 is larger than size 100"),
    ],
)
def test_preprocessing_that_no_recipe_knows_is_refused(
    pre: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=message):
        get_card(str(folder(tmp_path / "clip", OPENAI, pre)))


def test_a_picture_that_is_neither_resized_nor_normalised(tmp_path: Path) -> None:
    pre = {"do_resize": False, "do_normalize": False, "do_rescale": False}
    recipe = recipe_of(get_card(str(folder(tmp_path / "clip", OPENAI, pre))))
    assert (recipe.resize, recipe.range, recipe.mean) == ("none", "0-255", (0.0, 0.0, 0.0))


def test_other_kinds_are_refused_with_those_that_are_supported(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="hf:other is of the kind 'bert', which is not supported") as caught:
        get_card(str(folder(tmp_path / "other", {"model_type": "bert"})))
    assert caught.value.hint.startswith("supported: CLIP (clip), SigLIP (siglip), SigLIP 2 (siglip2), X-CLIP")
    with pytest.raises(ModelError, match=r"of no kind that its config.json names"):
        get_card(str(folder(tmp_path / "none", {})))


def test_weights_in_several_files_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "big", OPENAI, weights="model-00001-of-00002.safetensors")
    (path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(ModelError, match=r"in several files \(model.safetensors.index.json\)"):
        get_card(str(path))


def test_older_weights_are_taken_where_there_are_no_others(tmp_path: Path) -> None:
    card = get_card(str(folder(tmp_path / "old", OPENAI, weights="pytorch_model.bin")))
    assert card.file("backbone").name == "pytorch_model.bin"


def test_a_folder_may_be_named_with_the_prefix_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path / "my clip", OPENAI)
    monkeypatch.chdir(tmp_path)
    for name in ("my clip", "hf:my clip", f"hf:{tmp_path}/my clip", "hf:./my clip"):
        card = get_card(name)
        assert card.name == "hf:my-clip" and card.reference == str(tmp_path / "my clip")
    with pytest.raises(ModelError, match="there is no folder gone"):
        get_card("hf:gone")


def test_a_name_of_the_hub_is_never_a_folder_by_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some").mkdir()
    folder(tmp_path / "some" / "clip", OPENAI)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="is not on this machine") as caught:
        get_card("hf:some/clip")
    assert "for the folder: `hf:./some/clip`" in caught.value.hint
    assert get_card("hf:./some/clip").name == "hf:clip"


def test_a_folder_without_anything_of_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"there is no card.yaml in it"):
        get_card(str(tmp_path))

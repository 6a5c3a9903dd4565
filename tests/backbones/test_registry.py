"""A card becomes a network: its own weights or given ones, its recipe, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vidalign.backbones.registry import build, load_backbone, state_shapes, unfit_config
from vidalign.backbones.spec import backbone_spec, check_recipe
from vidalign.errors import ConfigError, DataError, MissingModelError, ModelError
from vidalign.types import Recipe
from vidalign.weights.cache import hash_file
from vidalign.weights.cards import get_card
from vidalign.weights.tensors import load_tensors, save_tensors

RECIPE = Recipe("own", 4, 4, 1.0, 32, 32, "mixed_5c")


def clips(count: int = 2, frames: int = 4, height: int = 32, width: int = 32) -> torch.Tensor:
    return torch.rand((count, 3, frames, height, width), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("layer", "width"), [("mixed_5c", 256), ("video_embedding", 128)])
def test_clips_become_features(layer: str, width: int, tiny: Path) -> None:
    backbone = load_backbone(
        "mini", weights=tiny / "mini-s3d.safetensors", recipe=replace(RECIPE, layer=layer)
    )
    features = backbone(clips(3))
    assert features.shape == (3, width) == (3, backbone.width)
    assert torch.isfinite(features).all()
    assert not features.requires_grad
    assert not backbone.training


def test_it_is_the_card_s_network_with_those_weights(tiny: Path) -> None:
    path = tiny / "mini-s3d.safetensors"
    plain = build(backbone_spec(get_card("mini"))).eval()
    plain.load_state_dict(load_tensors(path))
    with torch.inference_mode():
        expected = plain(clips())["mixed_5c"]
        torch.testing.assert_close(load_backbone("mini", path)(clips()), expected, atol=1e-5, rtol=1e-5)


def test_l2_gives_unit_length(tiny: Path) -> None:
    backbone = load_backbone("mini", recipe=replace(RECIPE, l2=True))
    torch.testing.assert_close(backbone(clips()).norm(dim=1), torch.ones(2))


def test_the_card_s_own_weights_and_recipe(tiny: Path) -> None:
    backbone = load_backbone("mini")
    assert backbone.recipe == backbone_spec(get_card("mini")).recipe
    assert backbone.sha256 == hash_file(tiny / "mini-s3d.safetensors")
    assert backbone.card == "mini"


def test_weights_by_the_name_of_a_card(tiny: Path) -> None:
    own, named = load_backbone("mini"), load_backbone("mini", weights="mini")
    assert torch.equal(own(clips()), named(clips()))
    assert own.sha256 == named.sha256


def test_a_published_checkpoint_is_read(tiny: Path, tmp_path: Path) -> None:
    tensors = load_tensors(tiny / "mini-s3d.safetensors")
    torch.save({f"module.{name}": tensor for name, tensor in tensors.items()}, tmp_path / "s3d.pth")
    one = load_backbone("mini", tmp_path / "s3d.pth")(clips())
    two = load_backbone("mini", tiny / "mini-s3d.safetensors")(clips())
    assert torch.equal(one, two)


def test_what_is_not_there(tiny: Path) -> None:
    with pytest.raises(ModelError, match="no such file of weights, nor a model of that name"):
        load_backbone("mini", weights="weights/gone.pth")
    with pytest.raises(MissingModelError, match=r"s3d_howto100m.pth and s3d_dict.npy are missing") as missing:
        load_backbone("s3d-howto100m")
    assert "vidalign models add s3d-howto100m" in missing.value.hint
    with pytest.raises(ModelError, match="unknown model 'resnet'"):
        load_backbone("resnet")
    with pytest.raises(ModelError, match="'tan-htm370k' is not a backbone"):
        load_backbone("tan-htm370k")


def test_weights_that_do_not_fit(tiny_files: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"does not fit .* missing \(conv1.conv1.weight, "):
        load_backbone("mini", tiny_files / "mini-tan.safetensors")
    tensors = load_tensors(tiny_files / "mini-s3d.safetensors")
    save_tensors(tmp_path / "wrong.safetensors", tensors | {"fc.bias": torch.zeros(7)})
    with pytest.raises(ModelError, match=r"fc.bias"):
        load_backbone("mini", tmp_path / "wrong.safetensors")


@pytest.mark.parametrize(
    "shape",
    [
        *[(1, 3, 3, 32, 32), (1, 3, 1, 32, 32), (1, 3, 4, 33, 32), (1, 3, 4, 32, 31), (1, 1, 4, 32, 32)],
        *[(3, 4, 32, 32), (1, 3, 0, 32, 32)],
    ],
)
def test_clips_of_another_shape_are_refused(shape: tuple[int, ...], tiny: Path) -> None:
    backbone = load_backbone("mini")
    with pytest.raises(DataError) as refused:
        backbone(torch.zeros(shape))
    assert str(shape) in refused.value.message
    assert "(clips, 3, frames, height, width)" in refused.value.message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer": "mixed_5d"}, "asks for layer 'mixed_5d', which mini has not"),
        ({"frames": 3}, "frames is 3, but mini takes multiples of 2 only"),
        ({"frames": 1}, "frames is 1, but"),
        ({"size": 40, "crop_size": 33}, "crop_size is 33, but"),
        ({"crop": "none", "size": 33}, "size is 33, but"),
    ],
)
def test_recipes_that_the_network_cannot_follow(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_recipe(backbone_spec(get_card("mini")), replace(RECIPE, **changes), "mini")


@pytest.mark.parametrize("frames", [2, 6, 8])
@pytest.mark.parametrize("size", [2, 10, 34])
def test_small_clips_of_even_sides_work(frames: int, size: int, tiny: Path) -> None:
    recipe = replace(RECIPE, frames=frames, size=size, crop_size=size)
    features = load_backbone("mini", recipe=recipe)(clips(1, frames, size, size))
    assert torch.isfinite(features).all()


def test_shapes_without_weights() -> None:
    spec = backbone_spec(get_card("s3d-howto100m"))
    assert state_shapes(spec)["text_module.word_embd.weight"] == (66250, 300)


@pytest.mark.parametrize("config", [{"layers": 70_000}, {"vision_config": {"num_hidden_layers": 513}}])
def test_a_network_of_too_many_layers_is_not_begun(config: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="more than 512 layers"), unfit_config("network", config):
        pytest.fail("it was begun")

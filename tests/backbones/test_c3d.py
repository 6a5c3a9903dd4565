"""C3D: its published names and counts, name schemes of three sources, and the two last poolings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vidalign.backbones.c3d import C3D, our_names
from vidalign.backbones.registry import load_backbone, state_shapes
from vidalign.backbones.spec import backbone_spec, check_recipe
from vidalign.errors import ConfigError
from vidalign.recipe import Recipe
from vidalign.weights.cards import get_card
from vidalign.weights.recipes import get_recipe

SMALL = {"frames": 16, "size": 32, "width": 0.0625, "classes": 3}


@pytest.mark.parametrize(
    ("name", "entries", "weights"),
    [("c3d@sports1m", 20, 77_995_776), ("c3d@sports1m-487", 22, 79_991_015)],
)
def test_as_many_weights_as_published(name: str, entries: int, weights: int) -> None:
    shapes = state_shapes(backbone_spec(get_card(name)))
    assert len(shapes) == entries
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == weights
    assert shapes["fc6.weight"] == (4096, 8192)
    assert get_card(name).format_only


def mmaction2(name: str) -> str:
    layer, _, kind = name.rpartition(".")
    if layer == "fc8":
        return f"cls_head.fc_cls.{kind}"
    return f"backbone.{layer}{'.conv' if layer.startswith('conv') else ''}.{kind}"


def davide(name: str) -> str:
    return name.replace("conv1a.", "conv1.").replace("conv2a.", "conv2.")


def nested(name: str) -> str:
    layer, _, kind = name.rpartition(".")
    convolutions = ["conv1a", "conv2a", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b"]
    if layer in convolutions:
        return f"features.{(0, 3, 6, 8, 11, 13, 16, 18)[convolutions.index(layer)]}.{kind}"
    return f"classifier.{(int(layer[-1]) - 6) * 3}.{kind}"


@pytest.mark.parametrize("scheme", [mmaction2, davide, nested, str])
def test_published_names_become_ours(scheme) -> None:
    state = C3D(**SMALL).state_dict()
    published = {scheme(name): tensor for name, tensor in state.items()}
    assert len(published) == len(state) == 22
    assert scheme is str or published.keys() != state.keys()
    named = our_names(published)
    assert list(named) == list(state)
    assert all(named[name] is tensor for name, tensor in state.items())


def test_unknown_names_stay() -> None:
    zeros = torch.zeros(1)
    assert list(our_names({"features.1.weight": zeros, "fc9.bias": zeros})) == [
        "features.1.weight",
        "fc9.bias",
    ]


def test_layers_are_taken_behind_their_relu() -> None:
    torch.manual_seed(0)
    network = C3D(**SMALL).eval()
    found = network(torch.randn(2, 3, 16, 32, 32))
    assert {layer: vectors.shape[1] for layer, vectors in found.items()} == network.layers
    assert found["fc6"].min() == 0 == found["fc7"].min()
    assert found["logits"].min() < 0


@pytest.mark.parametrize("size", [16, 32, 112])
def test_the_last_pooling_by_both_rules(size: int) -> None:
    """Of 7 x 7 both make 4 x 4, of other cells: padded windows begin one earlier."""
    torch.manual_seed(0)
    config = {**SMALL, "size": size}
    padded, cut = C3D(**config).eval(), C3D(**config, pool5="ceil").eval()
    clips = torch.randn(1, 3, 16, size, size)
    assert padded(clips)["fc6"].shape == cut(clips)["fc6"].shape
    if size == 112:
        cut.load_state_dict(padded.state_dict())
        assert padded.fc6.in_features == 32 * 16
        assert not torch.allclose(padded(clips)["fc6"], cut(clips)["fc6"])


@pytest.mark.parametrize("config", [{"pool5": "same"}, {"frames": 8}, {"size": 100}])
def test_configs_that_make_no_network(config: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"pool5 'same'|8 frames|100 pixels"):
        C3D(**config)


@pytest.mark.parametrize(
    ("change", "told"),
    [({"frames": 8}, "frames is 8, but c3d takes 16"), ({"crop_size": 96}, "takes 112 only")],
)
def test_recipes_of_other_clips_are_refused(change: dict[str, int], told: str) -> None:
    values = {key: getattr(get_recipe("c3d-fc7"), key) for key in Recipe.__dataclass_fields__}
    recipe = Recipe(**{**values, **change, "name": "own"})
    with pytest.raises(ConfigError, match=told):
        check_recipe(backbone_spec(get_card("c3d")), recipe, "c3d")


def test_a_file_under_published_names_is_read(tmp_path: Path) -> None:
    shapes = state_shapes(backbone_spec(get_card("c3d")))
    state = {mmaction2(name): torch.zeros(1).expand(shape) for name, shape in shapes.items()}
    state["backbone.fc7.bias"] = torch.ones(4096)
    path = tmp_path / "c3d.pth"
    torch.save({"state_dict": state, "meta": {}}, path)
    assert torch.equal(load_backbone("c3d", path).network.fc7.bias, torch.ones(4096))

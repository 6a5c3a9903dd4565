"""What any family may ask of the registry: names, channels, fixed clips, buffers, layouts of memory."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from vidalign.backbones.registry import Backbone, load_backbone, load_network, rename, state_shapes
from vidalign.backbones.spec import check_recipe
from vidalign.errors import ConfigError, DataError, ModelError
from vidalign.recipe import Recipe
from vidalign.weights import plugins
from vidalign.weights.card import BackboneSpec, CardFile, ModelCard
from vidalign.weights.cards import card_text

RECIPE = Recipe("own", 4, 4, 1.0, 8, 8, "mean")


class Toy(nn.Module):
    """The mean of a scaled picture; `scale` is a constant that no state dict holds."""

    def __init__(self, channels: int = 3, frames: int = 4, size: int = 8) -> None:
        super().__init__()
        self.flat, self.deep = nn.Conv2d(channels, 5, 3, padding=1), nn.Conv3d(5, 6, 3, padding=1)
        self.register_buffer("scale", torch.full((1,), 2.0), persistent=False)

    def forward(self, clips: torch.Tensor) -> dict[str, torch.Tensor]:
        count, _, frames = clips.shape[:3]
        pictures = self.flat(clips.transpose(1, 2).flatten(0, 1)).unflatten(0, (count, frames))
        return {"mean": self.scale * self.deep(pictures.transpose(1, 2)).mean(dim=(2, 3, 4))}


def bare(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix("net."): tensor for name, tensor in tensors.items()}


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Families of this file's network."""
    module = ModuleType("toys_of_a_test")
    vars(module).update(Toy=Toy, bare=bare)
    monkeypatch.setitem(sys.modules, "toys_of_a_test", module)
    network = "toys_of_a_test:Toy"
    known = {
        "toy": plugins.Family(network, divisor=2, names="toys_of_a_test:bare"),
        "toy-fixed": plugins.Family(network, fixed_frames=True),
        "toy-flow": plugins.Family(network, channels=2),
    }
    brought = plugins.Plugin("vidalign.weights:cards", known)
    monkeypatch.setattr(plugins, "plugins", lambda: (plugins.BUILT_IN, brought))


def spec_of(family: str = "toy", **config: int) -> BackboneSpec:
    return BackboneSpec(family, config, RECIPE, (RECIPE,), {"mean": 6})


def folder(tmp_path: Path, spec: BackboneSpec) -> Path:
    """A model folder of that network, without weights."""
    files = (CardFile("backbone", "backbone.safetensors"),)
    card = ModelCard("toy", "s", "l", "c", "s", "k", files, backbone=spec)
    (tmp_path / "card.yaml").write_text(card_text(card))
    return tmp_path


def test_published_names_are_changed_before_the_strict_check(tmp_path: Path) -> None:
    spec, state = spec_of(), Toy().state_dict()
    assert rename(spec, {f"net.{name}": t for name, t in state.items()}).keys() == state.keys()
    torch.save({"model": {f"module.net.{name}": t for name, t in state.items()}}, tmp_path / "w.pth")
    backbone = load_backbone(str(folder(tmp_path, spec)), tmp_path / "w.pth")
    assert torch.equal(backbone.network.flat.bias, state["flat.bias"])
    torch.save({f"other.{name}": t for name, t in state.items()}, tmp_path / "w.pth")
    with pytest.raises(ModelError, match=r"4 unexpected \(other\.flat\.weight"):
        load_backbone(str(tmp_path), tmp_path / "w.pth")


def test_buffers_outside_the_state_dict_have_their_values() -> None:
    spec = spec_of()
    network = load_network(spec, Toy().state_dict())
    assert state_shapes(spec).keys() == network.state_dict().keys()
    assert network.scale.tolist() == [2.0]
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_kernels_lie_as_clips_do_and_give_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    plain = Toy().eval()
    torch.save(plain.state_dict(), tmp_path / "w.pth")
    backbone = load_backbone(str(folder(tmp_path, spec_of())), tmp_path / "w.pth")
    assert backbone.network.flat.weight.is_contiguous(memory_format=torch.channels_last)
    assert backbone.network.deep.weight.is_contiguous(memory_format=torch.channels_last_3d)
    clips = torch.rand(2, 3, 4, 8, 8)
    torch.testing.assert_close(backbone(clips), plain(clips)["mean"])


def test_raw_is_before_l2(tmp_path: Path) -> None:
    torch.save(Toy().state_dict(), tmp_path / "w.pth")
    recipe = replace(RECIPE, l2=True)
    backbone = load_backbone(str(folder(tmp_path, spec_of())), tmp_path / "w.pth", recipe=recipe)
    clips = torch.rand(2, 3, 4, 8, 8)
    raw = backbone.raw(clips)
    torch.testing.assert_close(backbone(clips), raw / raw.norm(dim=1, keepdim=True))
    assert not torch.allclose(backbone(clips), raw)


def flow_backbone(tmp_path: Path, spec: BackboneSpec) -> Backbone:
    torch.save(Toy(channels=2).state_dict(), tmp_path / "w.pth")
    return load_backbone(str(folder(tmp_path, spec)), tmp_path / "w.pth")


@pytest.mark.parametrize(("family", "config"), [("toy-flow", {"channels": 2}), ("toy", {"channels": 2})])
def test_other_channels_than_pictures_have(family: str, config: dict[str, int], tmp_path: Path) -> None:
    spec = spec_of(family, **config)
    backbone = flow_backbone(tmp_path, spec)
    assert backbone(torch.rand(1, 2, 4, 8, 8)).shape == (1, 6)
    with pytest.raises(DataError, match=r"takes \(clips, 2, frames"):
        backbone(torch.rand(1, 3, 4, 8, 8))
    with pytest.raises(ConfigError, match="toy reads optical flow"):
        check_recipe(spec, RECIPE, "toy")


@pytest.mark.parametrize(
    ("family", "changes", "told"),
    [
        ("toy", {"frames": 3}, "frames is 3, but toy takes multiples of 2"),
        ("toy", {"crop": "three", "crop_size": 7}, "crop_size is 7, but"),
        ("toy", {"crop": "none", "resize": "exact", "size": (8, 7)}, "size is 7, but"),
        ("toy-fixed", {"frames": 8}, "frames is 8, but toy takes 4 only"),
        ("toy-fixed", {"size": 16, "crop_size": 16}, "crop_size is 16, but toy takes 8 only"),
        ("toy", {"layer": "max"}, "asks for layer 'max', which toy has not"),
    ],
)
def test_recipes_that_a_family_refuses(family: str, changes: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        check_recipe(spec_of(family, frames=4, size=8), replace(RECIPE, **changes), "toy")


@pytest.mark.parametrize(
    "changes", [{}, {"crop": "none", "resize": "none"}, {"sampling": "dense", "views": 3}]
)
def test_recipes_that_it_takes(changes: dict[str, object]) -> None:
    check_recipe(spec_of("toy-fixed", frames=4, size=8), replace(RECIPE, **changes), "toy")

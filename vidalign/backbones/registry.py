"""Every backbone under one name: a card becomes a network with its recipe and weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidalign.backbones.s3d import S3D
from vidalign.errors import ConfigError, ModelError
from vidalign.types import Recipe
from vidalign.weights.cache import file_sha256, hash_file, locate
from vidalign.weights.cards import BackboneSpec, ModelCard, get_card
from vidalign.weights.convert import match, read_weights
from vidalign.weights.tensors import load_tensors

FAMILIES: dict[str, Callable[..., nn.Module]] = {"s3d": S3D}
"""Family name -> class whose forward maps clips to a dict of layers."""


class Backbone(nn.Module):
    """Clips (B, 3, N, H, W), scaled as `recipe` says, -> features (B, D)."""

    def __init__(self, network: nn.Module, card: str, recipe: Recipe, width: int, sha256: str) -> None:
        super().__init__()
        self.network = network
        self.card = card
        self.recipe = recipe
        self.width = width
        self.sha256 = sha256

    def forward(self, clips: Tensor) -> Tensor:
        features: Tensor = self.network(clips)[self.recipe.layer]
        return F.normalize(features, dim=-1) if self.recipe.l2 else features


def build(spec: BackboneSpec) -> nn.Module:
    """The network of a card, with weights as its class initialises them."""
    return FAMILIES[spec.family](**spec.config)


def state_shapes(spec: BackboneSpec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the state dict, without allocating it."""
    with torch.device("meta"):
        network = build(spec)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def load_network(spec: BackboneSpec, tensors: Mapping[str, Tensor]) -> nn.Module:
    """The network with those weights, strictly, in eval mode and float32."""
    with torch.device("meta"):
        network = build(spec)
    match(tensors, {name: tuple(t.shape) for name, t in network.state_dict().items()})
    floats = {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
    network.load_state_dict(floats, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def load_backbone(
    name: str, weights: str | Path | None = None, *, recipe: Recipe | None = None, device: str = "cpu"
) -> Backbone:
    """The backbone of card `name`, ready for inference.

    `weights` is a checkpoint file in the card's published format or safetensors, or the name of another
    card of the same network; default: the card's own files. Raises ModelError where a file is missing or
    does not fit, ConfigError where the recipe asks for a layer that the network has not.
    """
    card = get_card(name)
    spec = backbone_spec(card)
    recipe = recipe or spec.recipe
    check_layer(spec, recipe, name)
    tensors, sha256 = _tensors(card, weights)
    network = load_network(spec, tensors).to(device)
    network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return Backbone(network, name, recipe, spec.layers[recipe.layer], sha256).eval()


def backbone_spec(card: ModelCard) -> BackboneSpec:
    """The card's backbone part; raises ModelError if it has none."""
    if card.backbone is None:
        raise ModelError(f"model {card.name!r} is not a backbone", hint="see `vidalign models list`")
    return card.backbone


def check_layer(spec: BackboneSpec, recipe: Recipe, name: str) -> None:
    """Raise ConfigError unless the network has the recipe's layer."""
    if recipe.layer not in spec.layers:
        raise ConfigError(
            f"recipe {recipe.name!r} asks for layer {recipe.layer!r}, which {name} has not",
            hint=f"layers: {', '.join(spec.layers)}",
        )


def _tensors(card: ModelCard, weights: str | Path | None) -> tuple[Mapping[str, Tensor], str]:
    if weights is None:
        return load_tensors(locate(card, "backbone")), file_sha256(card, "backbone")
    path = Path(weights)
    if path.is_file():
        return read_weights(path, state_shapes(backbone_spec(card))), hash_file(path)
    other = get_card(str(weights))
    return load_tensors(locate(other, "backbone")), file_sha256(other, "backbone")

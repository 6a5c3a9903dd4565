"""Every backbone under one name: a card becomes a network with its recipe and weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidalign.backbones.spec import backbone_spec, check_recipe, clip_channels
from vidalign.errors import DataError, ModelError
from vidalign.types import Recipe
from vidalign.weights.cache import file_sha256, locate, owner, weights_sha256
from vidalign.weights.cards import BackboneSpec, ModelCard, get_card, siblings
from vidalign.weights.convert import match, read_tensors, read_weights
from vidalign.weights.plugins import get_family, load_named
from vidalign.weights.sniff import sniff
from vidalign.weights.tensors import load_tensors

Weights = Mapping[str, Tensor]
MOST_LAYERS = 512
"""Layers of a kind that a card may ask for."""


class Backbone(nn.Module):
    """Clips (B, C, N, H, W), scaled as `recipe` says, -> features (B, D); raises DataError else.

    C is 3 but for networks that read something else than pictures.
    """

    def __init__(self, network: nn.Module, card: ModelCard, recipe: Recipe, sha256: str) -> None:
        super().__init__()
        spec = backbone_spec(card)
        self.network = network
        self.card = card.name
        self.recipe = recipe
        self.width = spec.layers[recipe.layer]
        self.sha256 = sha256
        self._divisor = get_family(spec.family).divisor
        self._channels = clip_channels(spec)

    def forward(self, clips: Tensor) -> Tensor:
        features = self.raw(clips)
        return F.normalize(features, dim=-1) if self.recipe.l2 else features

    def raw(self, clips: Tensor) -> Tensor:
        """Features (B, D) before the recipe's `l2`."""
        shape, channels = tuple(clips.shape), self._channels
        if len(shape) != 5 or shape[1] != channels or any(n < 1 or n % self._divisor for n in shape[2:]):
            raise DataError(
                f"clips have shape {shape}; {self.card} takes (clips, {channels}, frames, height, width) "
                f"with frames, height and width multiples of {self._divisor}"
            )
        features: Tensor = self.network(clips)[self.recipe.layer]
        return features


def build(spec: BackboneSpec) -> nn.Module:
    """The network of a card, with weights as its class initialises them; raises ModelError on a config
    that makes none."""
    network = cast(Callable[..., nn.Module], load_named(get_family(spec.family).network))
    with unfit_config(spec.family, spec.config):
        return network(**spec.config)


@contextmanager
def unfit_config(what: str, config: Mapping[str, Any]) -> Iterator[None]:
    """Says of a card's config that no network can be made by it; raises ModelError.

    One of too many layers would take hours to make.
    """
    try:
        if deep := [f"{name} {count}" for name, count in _layers(config) if count > MOST_LAYERS]:
            raise ValueError(f"more than {MOST_LAYERS} layers: {deep[0]}")
        yield
    except (TypeError, ValueError, LookupError, ArithmeticError, AssertionError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"the card's config makes no {what}: {reason}", hint="mend the card") from None


def _layers(config: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The numbers of layers in a config, and in the parts of one."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from _layers(value)
        elif isinstance(value, int) and str(name).endswith("layers"):
            yield str(name), value


def state_shapes(spec: BackboneSpec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the state dict, without allocating it."""
    with torch.device("meta"):
        network = build(spec)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def rename(spec: BackboneSpec, tensors: Weights) -> Weights:
    """A state dict under any published name scheme of the family -> under the network's own names."""
    names = get_family(spec.family).names
    return tensors if names is None else cast(Callable[[Weights], Weights], load_named(names))(tensors)


def load_network(spec: BackboneSpec, tensors: Weights) -> nn.Module:
    """The network with those weights, strictly, in eval mode and float32."""
    with torch.device("meta"):
        network = build(spec)
    match(tensors, {name: tuple(t.shape) for name, t in network.state_dict().items()})
    floats = {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
    network.load_state_dict(floats, strict=True, assign=True)
    if any(buffer.is_meta for buffer in network.buffers()):  # of those that no state dict holds
        network = build(spec)
        network.load_state_dict(floats, strict=True)
    return network.eval().requires_grad_(False)


def load_backbone(
    name: str, weights: str | Path | None = None, *, recipe: Recipe | None = None, device: str = "cpu"
) -> Backbone:
    """The backbone of card `name`, or of a model folder at that path, ready for inference.

    `weights` is a checkpoint file in the card's published format or safetensors, or the name of another
    card of the same network; default: the card's own files. Raises ModelError where a file is missing or
    does not fit, ConfigError where the recipe asks for what the network cannot do.
    """
    card = get_card(name)
    spec = backbone_spec(card)
    recipe = recipe or spec.recipe
    check_recipe(spec, recipe, name, pictures=False)
    tensors, sha256 = read_or_locate(
        card, "backbone", weights, state_shapes(spec), lambda found: rename(spec, found)
    )
    network = load_network(spec, tensors).to(device)
    _check_layers(card, network)
    return Backbone(_channels_last(network), card, recipe, sha256).eval()


def _channels_last(network: nn.Module) -> nn.Module:
    """The network with the kernels of its convolutions laid out as clips are."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for parameter in network.parameters():
        if parameter.dim() in formats:
            parameter.data = parameter.data.to(memory_format=formats[parameter.dim()])
    return network


def _check_layers(card: ModelCard, network: nn.Module) -> None:
    """Raise ModelError where a network that says its layers has not those of its card."""
    given, said = getattr(network, "layers", None), backbone_spec(card).layers
    if given is not None and dict(given) != dict(said):
        raise ModelError(f"{card.name}: the network's layers are {dict(given)}, the card says {dict(said)}")


def read_or_locate(
    card: ModelCard,
    role: str,
    weights: str | Path | None,
    expected: Mapping[str, tuple[int, ...]],
    renamed: Callable[[Weights], Weights] = dict,
) -> tuple[Weights, str]:
    """Tensors and SHA-256 of a card's file of that role, or of `weights`: a file, or another card's name.

    A file's tensors must be the `expected` ones as soon as they are `renamed`.
    """
    if weights is not None and Path(weights).is_file():
        path, allowed = Path(weights), owner(card, role)[1].pickle_globals
        try:
            return read_weights(path, expected, allowed, renamed), weights_sha256(card, role, path)
        except ModelError as error:
            raise ModelError(error.message, hint=error.hint or _fitting(card, path, allowed)) from None
    held = card if weights is None else _other_card(str(weights))
    path, sha256 = locate(held, role), file_sha256(held, role)
    if held.folder is not None:  # as it came, not converted by `models add`
        return read_weights(path, expected, rename=renamed), sha256
    return load_tensors(path), sha256


def _fitting(card: ModelCard, path: Path, pickle_globals: tuple[str, ...]) -> str:
    """A hint at the checkpoint of the same card that a file fits, empty where there is none."""
    others = siblings(card)
    if not others or sniff(path) not in ("safetensors", "checkpoint"):
        return ""
    tensors = read_tensors(path, pickle_globals)
    for other in others:
        shapes = state_shapes(backbone_spec(other))
        if {n: tuple(t.shape) for n, t in rename(backbone_spec(other), tensors).items()} == shapes:
            return f"it fits {other.name}"
    return ""


def _other_card(weights: str) -> ModelCard:
    try:
        return get_card(weights)
    except ModelError as error:
        raise ModelError(
            f"{weights}: no such file of weights, nor a model of that name", hint=error.hint
        ) from None

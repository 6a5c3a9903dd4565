"""How features are made: what an extraction is told, and what follows from it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vidalign.backbones.spec import backbone_spec, check_extra, check_recipe
from vidalign.batch.device import Place, choose_places
from vidalign.batch.loaded import Loaded
from vidalign.batch.pooling import Pooling
from vidalign.batch.steady import computing_with
from vidalign.errors import MissingExtraError, UsageError
from vidalign.types import Recipe
from vidalign.weights.cache import file_sha256, weights_sha256
from vidalign.weights.cards import ModelCard, backbone_of, get_card
from vidalign.weights.defaults import default_model
from vidalign.weights.recipes import get_recipe

if TYPE_CHECKING:
    from vidalign.backbones.encode import Encoder
    from vidalign.backbones.registry import Backbone
    from vidalign.backbones.runtimes.choose import Family

Dtype = Literal["float16", "float32"]
Runtime = Literal["auto", "torch", "openvino"]


@dataclass(frozen=True)
class Extraction:
    """How features are made: `backbone` is the name of a model or the path of a model folder.

    `recipe` is a name or a YAML file, `weights` a checkpoint file; None: what the card says. With `gvf` a
    video has one row, all its clips pooled. `device` may name several GPUs. `runtime` auto is torch;
    `compiled` has torch compile the network. `threads` compute, on the CPU; None: as many as torch takes.
    A copy with other settings shares the `networks` that are loaded.
    """

    backbone: str
    recipe: str | os.PathLike[str] | None = None
    weights: Path | None = None
    device: str = "auto"
    dtype: Dtype = "float16"
    reader: str = "auto"
    gvf: Pooling | None = None
    runtime: Runtime = "auto"
    compiled: bool = False
    threads: int | None = None
    networks: Loaded[Backbone] = field(default_factory=Loaded, compare=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """What was told, without what was found out and loaded for it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def card(self) -> ModelCard:
        """The backbone's card; raises ModelError."""
        return get_card(self.backbone)

    @cached_property
    def resolved_recipe(self) -> Recipe:
        """The recipe; raises ConfigError or ModelError where the backbone cannot follow it."""
        spec = backbone_spec(self.card)
        own = {recipe.name: recipe for recipe in spec.recipes}
        wanted = spec.recipe.name if self.recipe is None else os.fspath(self.recipe)
        recipe = own[wanted] if wanted in own else get_recipe(wanted)
        check_recipe(spec, recipe, self.card.name)
        return recipe

    @cached_property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights file; raises ModelError where it is missing."""
        if self.weights is not None:
            return weights_sha256(self.card, "backbone", self.weights)
        return file_sha256(self.card, "backbone")

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Devices, each with its precision: where the network runs at the same time."""
        return choose_places(self.device)

    @property
    def place(self) -> Place:
        """The first device, and the precision."""
        return self.places[0]

    @property
    def runtime_family(self) -> Family:
        """What computes."""
        return "torch" if self.runtime == "auto" else self.runtime

    @property
    def runtime_told(self) -> str:
        """What computes, with its version."""
        if self.runtime_family == "openvino":
            return f"openvino {version('openvino')}"
        from torch import __version__ as torch_version

        return f"torch {torch_version}{' compiled' if self.compiled else ''}"

    @property
    def model(self) -> Backbone:
        """The network on the first device, loaded at the first use."""
        return self._on(self.place)

    def encoder(self, place: Place | None = None, *, pad: bool = False) -> Encoder:
        """A new encoder on one of the places, the first if none is named; networks are loaded once a device.

        `pad`: every batch has one shape.
        """
        from vidalign.backbones.encode import Encoder

        held = place or self.place
        return Encoder(self._on(held), device=held.device, precision=held.precision, pad=pad or self.compiled)

    def _on(self, place: Place) -> Backbone:
        from vidalign.backbones.registry import load_backbone
        from vidalign.backbones.runtimes.choose import prepared

        device, recipe, family = place.device, self.resolved_recipe, self.runtime_family

        def load() -> Backbone:
            with computing_with(self.threads):
                backbone = load_backbone(self.backbone, self.weights, recipe=recipe, device=device)
                return prepared(backbone, device, family, compiled=self.compiled)

        what = self.backbone, self.weights, self.weights_sha256, recipe
        return self.networks.get((*what, device, family, self.compiled, self.threads), load)

    def check(self) -> None:
        """Raise what a wrong model, recipe, weights file, device or runtime, or a missing extra, would raise
        later."""
        check_extra(backbone_spec(self.card), self.card.name)
        _ = self.resolved_recipe, self.weights_sha256
        self.check_runtime()

    def check_runtime(self) -> None:
        """Raise UsageError for a device that is not there, or that the runtime cannot use, or a missing
        extra."""
        first = self.places[0]
        if self.runtime_family == "torch":
            return
        if find_spec("openvino") is None:
            raise MissingExtraError(
                "--runtime openvino needs the package openvino", hint="pip install 'vidalign[openvino]'"
            )
        if first.device != "cpu":
            raise UsageError(
                f"--runtime openvino runs on the CPU, not on {first.device}", hint="add --device cpu"
            )
        if self.compiled:
            raise UsageError("--compile is torch's", hint="leave out --compile or --runtime openvino")


def default_backbone() -> str:
    """The backbone whose features the default model reads: a name, or the path of a model folder."""
    return backbone_of(get_card(default_model())).reference

"""How features are made: what an extraction is told, and what follows from it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vidalign.backbones.spec import backbone_spec, check_extra, check_recipe
from vidalign.batch.device import Place, choose_place
from vidalign.batch.pooling import Pooling
from vidalign.types import Recipe
from vidalign.weights.cache import file_sha256, weights_sha256
from vidalign.weights.cards import ModelCard, backbone_of, get_card
from vidalign.weights.defaults import default_model
from vidalign.weights.recipes import get_recipe

if TYPE_CHECKING:
    from vidalign.backbones.registry import Backbone

Dtype = Literal["float16", "float32"]


@dataclass(frozen=True)
class Extraction:
    """How features are made: `backbone` is the name of a model or the path of a model folder.

    `recipe` is a name or a YAML file, `weights` a checkpoint file; None: what the card says. With `gvf` a
    video has one row, all its clips pooled.
    """

    backbone: str
    recipe: str | os.PathLike[str] | None = None
    weights: Path | None = None
    device: str = "auto"
    dtype: Dtype = "float16"
    reader: str = "auto"
    gvf: Pooling | None = None

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
    def place(self) -> Place:
        """Device and precision."""
        return choose_place(self.device)

    @property
    def runtime(self) -> str:
        """What computes, with its version."""
        from torch import __version__ as version

        return f"torch {version}"

    @cached_property
    def model(self) -> Backbone:
        """The network, loaded at the first use."""
        from vidalign.backbones.registry import load_backbone

        return load_backbone(
            self.backbone, self.weights, recipe=self.resolved_recipe, device=self.place.device
        )

    def check(self) -> None:
        """Raise what a wrong model, recipe, weights file or device, or a missing extra, would raise later."""
        check_extra(backbone_spec(self.card), self.card.name)
        _ = self.resolved_recipe, self.weights_sha256, self.place


def default_backbone() -> str:
    """The backbone whose features the default model reads: a name, or the path of a model folder."""
    return backbone_of(get_card(default_model())).reference

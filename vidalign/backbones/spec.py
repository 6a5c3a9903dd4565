"""What a backbone is made of and asks of a recipe, as its card says; needs no torch."""

from __future__ import annotations

from vidalign.errors import ConfigError, ModelError
from vidalign.types import Recipe
from vidalign.weights.cards import BACKBONE_FOLDER, BackboneSpec, ModelCard

DIVISORS = {"s3d": 2}
"""Family -> number by which frames, height and width of its clips must divide."""


def backbone_spec(card: ModelCard) -> BackboneSpec:
    """The card's backbone part; raises ModelError if it has none."""
    if card.backbone is None:
        inside = None if card.folder is None else card.folder / BACKBONE_FOLDER
        hint = f"its backbone is {inside}" if inside and inside.is_dir() else "see `vidalign models list`"
        raise ModelError(f"model {card.name!r} is not a backbone", hint=hint)
    if card.backbone.family not in DIVISORS:
        raise ModelError(
            f"model {card.name!r} is of the family {card.backbone.family!r}, which is unknown",
            hint=f"known families: {', '.join(DIVISORS)}",
        )
    return card.backbone


def check_recipe(spec: BackboneSpec, recipe: Recipe, name: str) -> None:
    """Raise ConfigError unless the network `name` has the recipe's layer and can take its clips."""
    if recipe.layer not in spec.layers:
        raise ConfigError(
            f"recipe {recipe.name!r} asks for layer {recipe.layer!r}, which {name} has not",
            hint=f"layers: {', '.join(spec.layers)}",
        )
    divisor = DIVISORS[spec.family]
    side = "crop_size" if recipe.crop == "center" else "size"
    for key in ("frames", side):
        if getattr(recipe, key) % divisor:
            raise ConfigError(
                f"recipe {recipe.name!r}: {key} is {getattr(recipe, key)}, "
                f"but {name} takes multiples of {divisor} only"
            )

"""What a backbone is made of and asks of a recipe, as its card and its family say; needs no torch."""

from __future__ import annotations

from collections.abc import Iterator

from vidalign.errors import ConfigError, MissingExtraError, ModelError, did_you_mean
from vidalign.types import Recipe
from vidalign.weights.cards import BACKBONE_FOLDER, BackboneSpec, ModelCard
from vidalign.weights.plugins import families, get_family, missing_extra


def backbone_spec(card: ModelCard) -> BackboneSpec:
    """The card's backbone part; raises ModelError if it has none, or one of a family that is not here."""
    if card.backbone is None:
        inside = None if card.folder is None else card.folder / BACKBONE_FOLDER
        hint = f"its backbone is {inside}" if inside and inside.is_dir() else "see `vidalign models list`"
        if card.aligner is not None and not card.aligner.backbone:
            hint = "no model here makes the features it reads; import them, then give --features"
        raise ModelError(f"model {card.name!r} is not a backbone", hint=hint)
    known = families()
    if card.backbone.family not in known:
        raise ModelError(
            f"model {card.name!r} is of the family {card.backbone.family!r}, which is unknown",
            hint=did_you_mean(card.backbone.family, known, f"known families: {', '.join(known)}"),
        )
    return card.backbone


def check_extra(spec: BackboneSpec, name: str) -> None:
    """Raise MissingExtraError where a package that the network `name` needs is not installed."""
    if line := missing_extra(spec.family):
        raise MissingExtraError(f"{name} needs the package {get_family(spec.family).package}", hint=line)


def check_recipe(spec: BackboneSpec, recipe: Recipe, name: str, *, pictures: bool = True) -> None:
    """Raise ConfigError unless the network `name` has the recipe's layer and can take its clips.

    `pictures`: the clips come from a video, so the network must read three channels.
    """
    if recipe.layer not in spec.layers:
        raise ConfigError(
            f"recipe {recipe.name!r} asks for layer {recipe.layer!r}, which {name} has not",
            hint=f"layers: {', '.join(spec.layers)}",
        )
    family = get_family(spec.family)
    channels = clip_channels(spec)
    if pictures and channels != 3:
        flow = "optical flow, which is not computed here"
        raise ConfigError(
            f"{name} reads {flow if channels == 2 else f'clips of {channels} channels, which no video has'}",
            hint=f"give it clips of your own through Python: vidalign.load_backbone({name!r})",
        )
    for key, value in _counts(recipe):
        if value % family.divisor:
            raise ConfigError(
                f"recipe {recipe.name!r}: {key} is {value}, "
                f"but {name} takes multiples of {family.divisor} only"
            )
        wanted = spec.config.get("frames" if key == "frames" else "size")
        if family.fixed_frames and wanted is not None and value != wanted:
            raise ConfigError(f"recipe {recipe.name!r}: {key} is {value}, but {name} takes {wanted} only")


def clip_channels(spec: BackboneSpec) -> int:
    """Channels of the clips that a backbone reads: its config's, else its family's."""
    return int(spec.config.get("channels", get_family(spec.family).channels))


def _counts(recipe: Recipe) -> Iterator[tuple[str, int]]:
    """Frames and sides of a recipe's clips, as far as it says them, each with its key."""
    yield "frames", recipe.frames
    if recipe.crop != "none":
        yield "crop_size", recipe.crop_size
    elif recipe.resize in ("short", "exact"):
        sides = recipe.size if isinstance(recipe.size, tuple) else (recipe.size,)
        yield from (("size", side) for side in sides)

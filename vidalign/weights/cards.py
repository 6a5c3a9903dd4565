"""Model cards by name (YAML files of this package and of plugins) or by the path of a model folder."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

from vidalign.errors import ConfigError, ModelError, did_you_mean
from vidalign.types import Recipe
from vidalign.weights.card import AlignerSpec, BackboneSpec, Calibration, CardFile, ModelCard, Role, Text
from vidalign.weights.card_text import card_text, check_name, parse_card, parse_cards
from vidalign.weights.hub import PREFIX, hub_card, is_name
from vidalign.weights.hub_card import CONFIG, card_of_folder
from vidalign.weights.plugins import BUILT_IN, card_files, faults

__all__ = [
    "BACKBONE_FOLDER",
    "CARD_FILE",
    "AlignerSpec",
    "BackboneSpec",
    "Calibration",
    "CardFile",
    "ModelCard",
    "Role",
    "Text",
    "backbone_of",
    "card_names",
    "card_text",
    "check_name",
    "get_card",
    "is_known",
    "list_cards",
    "parse_card",
    "parse_cards",
    "recipe_of",
    "siblings",
]

CARD_FILE = "card.yaml"
"""The card of a model folder."""

BACKBONE_FOLDER = "backbone"
"""Inside an aligner's model folder: the model folder of the backbone whose features it reads."""

_LONGEST_CARD = 1_000_000


def card_names() -> tuple[str, ...]:
    """Names of all models that have a card; one of several checkpoints is called CARD@CHECKPOINT."""
    return tuple(card.name for card in list_cards())


def list_cards() -> tuple[ModelCard, ...]:
    """Every card of this package and of plugins, by name; checkpoints in the order of their file."""
    return tuple(card for stem in card_files() for card in _cards_of(stem))


def is_known(name: str) -> bool:
    """Whether a model of this package, of a plugin or of the hub is called so."""
    return _named(name) is not None or is_name(name)


def siblings(card: ModelCard) -> tuple[ModelCard, ...]:
    """The other checkpoints of a card of this package or of a plugin."""
    stem = card.name.partition("@")[0]
    known = card.folder is None and stem in card_files()
    return tuple(other for other in _cards_of(stem) if other.name != card.name) if known else ()


def get_card(name: str) -> ModelCard:
    """The card of that name, of `hf:OWNER/NAME`, or of a folder, given as the folder or its card.yaml.

    CARD without its @CHECKPOINT is the first one. A name without a slash is a folder only where no model is
    called so; one without a card.yaml may be as a hub serves it. Raises ModelError where there is neither,
    ConfigError where a folder's card is wrong.
    """
    if (found := _named(name)) is not None:
        return found
    if is_name(name):
        return hub_card(name)
    bare = name.removeprefix(PREFIX)
    path = Path(bare).expanduser() if name.startswith(PREFIX) else Path(bare)
    if bare and _is_folder_or_card(path):
        return _read(path)
    if name.startswith(PREFIX):
        raise ModelError(
            f"there is no folder {path}", hint=f"models of the hub are called {PREFIX}OWNER/NAME"
        )
    if "/" in name or os.sep in name:
        hint = f"; on the hub it would be {PREFIX}{name}" if is_name(PREFIX + name) else ""
        raise ModelError(f"there is no model folder {name}", hint=f"check the path{hint}")
    stem, _, checkpoint = name.partition("@")
    if stem in card_files():
        theirs = [card.name for card in _cards_of(stem)]
        known = filter(None, (each.partition("@")[2] for each in theirs))
        hint = did_you_mean(checkpoint, known, f"it has: {', '.join(theirs)}")
        raise ModelError(f"model {stem!r} has no checkpoint {checkpoint!r}", hint=hint)
    hint = did_you_mean(
        stem, card_files(), f"known models: {', '.join(card_files())}; or give a model folder"
    )
    raise ModelError(f"unknown model {name!r}", hint="; ".join((hint, *faults())))


def backbone_of(card: ModelCard) -> ModelCard:
    """The card of the backbone whose features an aligner reads: itself, the one in its folder, or by name.

    Itself, too, where no model here makes them.
    """
    if card.aligner is None or card.aligner.backbone in ("", card.name):
        return card
    inside = None if card.folder is None else card.folder / BACKBONE_FOLDER
    if inside is None or not inside.is_dir():
        if not is_known(card.aligner.backbone):
            raise ModelError(
                f"model {card.name!r} reads features of {card.aligner.backbone!r}, which is not here",
                hint=f"put its model folder into {inside}" if inside else "",
            )
        return get_card(card.aligner.backbone)
    found = _read(inside)
    if found.name != card.aligner.backbone:
        raise ModelError(
            f"{inside} holds the model {found.name!r}, {card.name} needs {card.aligner.backbone!r}"
        )
    return found


def recipe_of(card: ModelCard) -> Recipe:
    """The recipe of the features that an aligner reads; raises ModelError where there is none such."""
    held = backbone_of(card)
    if card.aligner is not None and held.backbone is not None:
        for recipe in held.backbone.recipes:
            if recipe.name == card.aligner.recipe:
                return recipe
    wanted = card.aligner.recipe if card.aligner is not None else "any"
    raise ModelError(f"model {card.name!r} reads features by recipe {wanted!r}, which {held.name!r} has not")


def _named(name: str) -> ModelCard | None:
    stem = name.partition("@")[0]
    cards = _cards_of(stem) if stem in card_files() else ()
    return next((card for card in cards if name in (stem, card.name)), None)


def _cards_of(stem: str) -> tuple[ModelCard, ...]:
    plugin, file = card_files()[stem]
    return _parsed(stem, plugin.package, file.read_text("utf-8"))


@cache
def _parsed(stem: str, package: str, text: str) -> tuple[ModelCard, ...]:
    """The cards of a package's file of that name, which must be theirs."""
    where = f"card {stem}" if package == BUILT_IN.package else f"card {stem} of {package}"
    cards = parse_cards(text, where=where)
    if cards[0].name.partition("@")[0] != stem:
        raise ConfigError(f"{where}: its name is {cards[0].name!r}")
    return tuple(replace(card, package=package) for card in cards)


def _is_folder_or_card(path: Path) -> bool:
    try:
        return path.is_dir() or (path.suffix == ".yaml" and path.is_file())
    except (OSError, ValueError):
        return False


def _read(path: Path) -> ModelCard:
    """The card of a model folder; its files must lie in it."""
    file = path / CARD_FILE if path.is_dir() else path
    if not file.is_file() and (path / CONFIG).is_file():
        return card_of_folder(path, _folder_name(path), source=str(path.absolute()))
    if not file.is_file():
        raise ModelError(f"{path} is no model folder: there is no {CARD_FILE} in it", hint=_nearby(path))
    try:
        if file.stat().st_size > _LONGEST_CARD:
            raise ConfigError(f"{file} is too long for a model card")
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
        raise ModelError(f"{file} cannot be read as a model card: {reason}") from None
    card = parse_card(text, where=str(file))
    for entry in card.files:
        _check_beside(entry, str(file))
    return replace(card, folder=file.parent.absolute())


def _folder_name(path: Path) -> str:
    """What the model in a folder as a hub serves it is called in features files."""
    return PREFIX + re.sub(r"[^A-Za-z0-9._-]+", "-", path.absolute().name)


def _check_beside(entry: CardFile, where: str) -> None:
    """Raise ConfigError unless a model folder's file is a plain name in that folder."""
    if entry.name in ("", ".", "..") or any(mark in entry.name for mark in "/\\\0"):
        raise ConfigError(f"{where}: the file {entry.name!r} must lie beside the card")
    if entry != CardFile(entry.role, entry.name, entry.size, entry.sha256):
        raise ConfigError(f"{where}: a file of a model folder has a role, a name, a size and a sha256 only")


def _nearby(path: Path) -> str:
    """The model folder that a training run has inside its own, as a hint."""
    inside = path / "model"
    return f"did you mean {inside}?" if (inside / CARD_FILE).is_file() else ""

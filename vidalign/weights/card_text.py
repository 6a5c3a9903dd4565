"""Model cards as YAML text: read with every key checked, and written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import yaml

from vidalign.errors import ConfigError, did_you_mean
from vidalign.outside import UnreadableError, load_yaml
from vidalign.types import Recipe
from vidalign.weights.card import AlignerSpec, BackboneSpec, Calibration, CardFile, ModelCard, Role, Text
from vidalign.weights.recipes import get_recipe, recipe_names, unlike_built_in

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Spec = TypeVar("_Spec", bound="DataclassInstance")
_PLAIN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_NAME = re.compile(f"(?:hf:(?:{_PLAIN}/)?)?{_PLAIN}(?:@{_PLAIN})?")
_PREFIX = re.compile("[0-9a-f]{8,64}")
_CHECKPOINT = ("summary", "knows", "notes", "files", "config", "layers", "recipe", "format_only")
"""What a checkpoint says beside its card; its notes, config and layers come on top of the card's."""


def check_name(name: str, where: str) -> None:
    """Raise ConfigError unless a model can be called that: it names folders and stands in features files."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{where}: {name!r} is no name for a model", hint="letters, digits, dots, dashes and underscores"
        )


def card_text(card: ModelCard) -> str:
    """The YAML text that `parse_card` reads back; recipes of the user's own are written out."""
    values: dict[str, Any] = {
        key: getattr(card, key) for key in ("name", "summary", "licence", "citation", "source", "knows")
    }
    if card.notes:
        values["notes"] = list(card.notes)
    if card.format_only:
        values["format_only"] = True
    if card.backbone is not None:
        values["backbone"] = _backbone_values(card.backbone)
    if card.aligner is not None:
        values["aligner"] = _without_none(asdict(card.aligner))
    values["files"] = [_without_none({key: v for key, v in asdict(f).items() if v}) for f in card.files]
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=110)


def _backbone_values(spec: BackboneSpec) -> dict[str, Any]:
    built_in = recipe_names()
    recipes = [r.name if r.name in built_in else _plain(asdict(r)) for r in spec.recipes]
    return {
        "family": spec.family,
        "config": dict(spec.config),
        "recipe": spec.recipe.name,
        "recipes": recipes,
        "layers": dict(spec.layers),
    }


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _plain(value) for key, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    """Tuples as lists, mappings as dicts: what YAML writes without tags."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def parse_card(text: str, *, where: str = "card") -> ModelCard:
    """A card from its YAML text; raises ConfigError on unknown, missing or mistyped keys."""
    return _card(_loaded(text, where), where)


def parse_cards(text: str, *, where: str = "card") -> tuple[ModelCard, ...]:
    """The card of a YAML text, or CARD@CHECKPOINT for each of its `checkpoints`; raises as `parse_card`."""
    values = _loaded(text, where)
    if "checkpoints" not in values:
        return (_card(values, where),)
    checkpoints = _mapping(values.pop("checkpoints"), f"{where}: checkpoints")
    if "files" in values or not checkpoints:
        raise ConfigError(f"{where}: checkpoints must name at least one, and each has files of its own")
    return tuple(
        _card(_merged(values, name, own, f"{where}: {name}"), f"{where}: {name}")
        for name, own in checkpoints.items()
    )


def _merged(values: Mapping[str, Any], name: str, given: Any, where: str) -> dict[str, Any]:
    """The values of a card with those of one of its checkpoints."""
    own = _mapping(given, where)
    for key in own:
        if key not in _CHECKPOINT:
            raise ConfigError(f"{where}: unknown key {key!r}", hint=did_you_mean(key, _CHECKPOINT))
    notes = [*_texts(values, "notes", where), *_texts(own, "notes", where)]
    part = "backbone" if values.get("backbone") is not None else "aligner"
    spec = _mapping(values.get(part), f"{where}: {part}")
    for key in ("config", "layers") if part == "backbone" else ("config",):
        both = (_mapping(held.get(key, {}), f"{where}: {key}") for held in (spec, own))
        spec = {**spec, key: {inner: value for held in both for inner, value in held.items()}}
    spec["recipe"] = own.get("recipe", spec.get("recipe"))
    own = {key: own[key] for key in ("summary", "knows", "files", "format_only") if key in own}
    return {**values, **own, "name": f"{values.get('name')}@{name}", "notes": notes, part: spec}


def _loaded(text: str, where: str) -> dict[str, Any]:
    try:
        return _mapping(load_yaml(text), where)
    except UnreadableError as error:
        raise ConfigError(f"{where}{f':{error.line}' if error.line else ''}: {error}") from None


def _card(values: Mapping[str, Any], where: str) -> ModelCard:
    if isinstance(values.get("name"), str):
        check_name(values["name"], where)
    parts: dict[str, Any] = {
        "files": _files(values.get("files"), where),
        "notes": _texts(values, "notes", where),
    }
    if values.get("backbone") is not None:
        parts["backbone"] = _backbone(
            _mapping(values["backbone"], f"{where}: backbone"), f"{where}: backbone"
        )
    if values.get("aligner") is not None:
        parts["aligner"] = _aligner(_mapping(values["aligner"], f"{where}: aligner"), f"{where}: aligner")
    return _build(ModelCard, {**values, **parts}, where)


def _files(values: Any, where: str) -> tuple[CardFile, ...]:
    if not isinstance(values, list) or not values:
        raise ConfigError(f"{where}: files must be a list of at least one file")
    return tuple(_file(_mapping(value, f"{where}: files"), f"{where}: files") for value in values)


def _file(values: Mapping[str, Any], where: str) -> CardFile:
    parts = {key: _texts(values, key, where) for key in ("sources", "pickle_globals")}
    entry = _build(CardFile, {**values, **parts}, where)
    if entry.role not in get_args(Role):
        raise ConfigError(f"{where}: role is {entry.role!r}; one of {', '.join(get_args(Role))}")
    if entry.sha256 is not None and (len(entry.sha256) != 64 or entry.sha256.strip("0123456789abcdef")):
        raise ConfigError(f"{where}: sha256 of {entry.name} is not 64 lower-case hexadecimal digits")
    if entry.sha256_prefix and not _PREFIX.fullmatch(entry.sha256_prefix):
        raise ConfigError(
            f"{where}: sha256_prefix of {entry.name} is not 8 to 64 lower-case hexadecimal digits",
            hint="in quotes, for YAML takes digits alone for a number",
        )
    return entry


def _backbone(values: Mapping[str, Any], where: str) -> BackboneSpec:
    recipes = _recipes(values.get("recipes"), f"{where}: recipes")
    parts = {
        "config": _mapping(values.get("config", {}), f"{where}: config"),
        "recipe": next((recipe for recipe in recipes if recipe.name == values.get("recipe")), None),
        "recipes": recipes,
        "layers": _mapping(values.get("layers"), f"{where}: layers"),
    }
    spec = _build(BackboneSpec, {**values, **parts}, where)
    if spec.recipe is None or any(recipe.layer not in spec.layers for recipe in recipes):
        raise ConfigError(f"{where}: the recipe must be one of recipes, each with a layer of layers")
    for layer, width in spec.layers.items():
        if not isinstance(width, int) or width < 1:
            raise ConfigError(f"{where}: layer {layer} has the width {width!r}")
    return spec


def _recipes(values: Any, where: str) -> tuple[Recipe, ...]:
    """Recipes by the name of a built-in one, or written out."""
    if not isinstance(values, list):
        raise ConfigError(f"{where}: must be a list of recipes")
    return tuple(_recipe(value, where) for value in values)


def _recipe(value: Any, where: str) -> Recipe:
    if not isinstance(value, str):
        return unlike_built_in(Recipe.from_mapping(_mapping(value, where), where=where), where)
    if value not in recipe_names():
        hint = did_you_mean(value, recipe_names(), "write out a recipe that is not built in")
        raise ConfigError(f"{where}: unknown recipe {value!r}", hint=hint)
    return get_recipe(value)


def _aligner(values: Mapping[str, Any], where: str) -> AlignerSpec:
    parts: dict[str, Any] = {"config": _mapping(values.get("config", {}), f"{where}: config")}
    if values.get("calibration") is not None:
        inner = f"{where}: calibration"
        parts["calibration"] = _calibration(_mapping(values["calibration"], inner), inner)
    spec = _build(AlignerSpec, {**values, **parts}, where)
    if spec.text not in get_args(Text):
        raise ConfigError(f"{where}: text is {spec.text!r}; one of {', '.join(get_args(Text))}")
    if not (isfinite(spec.temperature) and spec.temperature > 0):
        raise ConfigError(f"{where}: temperature must be above 0, not {spec.temperature!r}")
    return spec


def _calibration(values: Mapping[str, Any], where: str) -> Calibration:
    found = _build(Calibration, values, where)
    if not (isfinite(found.a) and isfinite(found.b) and 0 <= found.threshold <= 1):
        raise ConfigError(f"{where}: a and b must be numbers, the threshold one from 0 to 1")
    return found


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ConfigError(f"{where}: must be a mapping of names to values")
    return value


def _texts(values: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = values.get(key) or ()
    if (
        not isinstance(value, Sequence)
        or isinstance(value, str)
        or not all(isinstance(v, str) for v in value)
    ):
        raise ConfigError(f"{where}: {key} must be a list of texts")
    return tuple(value)


_SCALARS: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "bool": bool,
    "float": (int, float),
    "str | None": (str, type(None)),
    "int | None": (int, type(None)),
    "Role": str,
    "Text": str,
}


def _build(cls: type[_Spec], values: Mapping[str, Any], where: str) -> _Spec:
    known = {entry.name: entry for entry in fields(cls) if entry.metadata.get("key", True)}
    for key in values:
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r}", hint=did_you_mean(key, known))
    for key, entry in known.items():
        required = entry.default is MISSING and entry.default_factory is MISSING
        if key not in values and required:
            raise ConfigError(f"{where}: the key {key!r} is missing")
        expected = _SCALARS.get(str(entry.type))
        if key not in values or expected is None:
            continue
        if not isinstance(values[key], expected) or (isinstance(values[key], bool) and expected is not bool):
            raise ConfigError(f"{where}: {key} has the wrong type: {values[key]!r}")
    return cls(**values)

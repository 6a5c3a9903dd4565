"""Model cards: what a set of weights is, where its files come from, what it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import yaml

from vidalign.errors import ConfigError, ModelError
from vidalign.types import Recipe
from vidalign.weights.recipes import get_recipe

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Role = Literal["backbone", "aligner", "dictionary", "vocab"]
Text = Literal["word2vec", "bert"]

_SUFFIXES = {"backbone": ".safetensors", "aligner": ".safetensors", "dictionary": ".npy", "vocab": ".txt"}
_Spec = TypeVar("_Spec", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Calibration:
    """alignability = sigmoid(a * score + b), its default threshold, and the data these were fitted on."""

    a: float
    b: float
    threshold: float
    fitted_on: str


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """A clip encoder: `config` are its class's arguments, `layers` maps each output to its width."""

    family: str
    config: Mapping[str, Any]
    recipe: Recipe
    recipes: tuple[Recipe, ...]
    layers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AlignerSpec:
    """A scorer with the backbone card, layer and recipe that its features must come from."""

    scorer: str
    config: Mapping[str, Any]
    backbone: str
    layer: str
    recipe: str
    temperature: float = 0.07
    calibration: Calibration | None = None
    text: Text = "word2vec"
    decoder: str = "peak"


@dataclass(frozen=True, slots=True)
class CardFile:
    """One file of a model, as published.

    `sha256` and `size` (bytes) are None where nobody has published them. `sources` are tried in order.
    `bundled` files lie inside the package; a file `shared_with` another card is kept once, under that card.
    `pickle_globals` are the classes that a published pickle may mention beside the usual ones; they are
    bound to inert stand-ins.
    """

    role: Role
    name: str
    size: int | None = None
    sha256: str | None = None
    sources: tuple[str, ...] = ()
    bundled: bool = False
    shared_with: str = ""
    pickle_globals: tuple[str, ...] = ()

    @property
    def stored_name(self) -> str:
        """Name of the converted file in the cache."""
        return self.role + _SUFFIXES[self.role]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One set of weights; `knows` says in plain words what world and vocabulary it was trained on."""

    name: str
    summary: str
    licence: str
    citation: str
    source: str
    knows: str
    files: tuple[CardFile, ...]
    notes: tuple[str, ...] = ()
    backbone: BackboneSpec | None = None
    aligner: AlignerSpec | None = None

    def file(self, role: str) -> CardFile:
        """The file of that role; a scorer without weights of its own reads its backbone's."""
        for entry in self.files:
            if entry.role == role:
                return entry
        if role == "aligner" and self.aligner is not None and self.aligner.backbone == self.name:
            return self.file("backbone")
        held = ", ".join(entry.role for entry in self.files)
        raise ModelError(f"model {self.name!r} has no {role} file", hint=f"it has: {held}")

    @property
    def uses(self) -> tuple[str, ...]:
        """What it is for: `extract`, `align`."""
        return tuple(
            use for use, spec in (("extract", self.backbone), ("align", self.aligner)) if spec is not None
        )


def card_names() -> tuple[str, ...]:
    """Names of all models that have a card, sorted."""
    found = (files("vidalign.weights") / "cards").iterdir()
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in found if entry.name.endswith(".yaml")))


def list_cards() -> tuple[ModelCard, ...]:
    """Every card, by name."""
    return tuple(get_card(name) for name in card_names())


@cache
def get_card(name: str) -> ModelCard:
    """The card of that name; raises ModelError naming the known ones."""
    if name not in card_names():
        raise ModelError(f"unknown model {name!r}", hint=f"known models: {', '.join(card_names())}")
    text = (files("vidalign.weights") / "cards" / f"{name}.yaml").read_text("utf-8")
    return parse_card(text, where=f"card {name}")


def parse_card(text: str, *, where: str = "card") -> ModelCard:
    """A card from its YAML text; raises ConfigError on unknown, missing or mistyped keys."""
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: not YAML: {' '.join(str(error).split())}") from None
    values = _mapping(loaded, where)
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
    return entry


def _backbone(values: Mapping[str, Any], where: str) -> BackboneSpec:
    recipes = tuple(get_recipe(name) for name in _texts(values, "recipes", where))
    parts = {
        "config": _mapping(values.get("config", {}), f"{where}: config"),
        "recipe": get_recipe(values["recipe"]) if isinstance(values.get("recipe"), str) else None,
        "recipes": recipes,
        "layers": _mapping(values.get("layers"), f"{where}: layers"),
    }
    spec = _build(BackboneSpec, {**values, **parts}, where)
    for recipe in (spec.recipe, *recipes):
        if recipe is None or recipe not in recipes or recipe.layer not in spec.layers:
            raise ConfigError(f"{where}: the recipe must be one of recipes, each with a layer of layers")
    return spec


def _aligner(values: Mapping[str, Any], where: str) -> AlignerSpec:
    parts: dict[str, Any] = {"config": _mapping(values.get("config", {}), f"{where}: config")}
    if values.get("calibration") is not None:
        inner = f"{where}: calibration"
        numbers = dict(_mapping(values["calibration"], inner))
        parts["calibration"] = _build(Calibration, numbers, inner)
    spec = _build(AlignerSpec, {**values, **parts}, where)
    if spec.text not in get_args(Text):
        raise ConfigError(f"{where}: text is {spec.text!r}; one of {', '.join(get_args(Text))}")
    return spec


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
    known = {entry.name: entry for entry in fields(cls)}
    for key in values:
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r}", hint=f"known keys: {', '.join(known)}")
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

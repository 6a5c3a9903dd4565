"""Recipes by name (YAML files of the package) or from a YAML file of the user's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from vidalign.errors import ConfigError, did_you_mean
from vidalign.outside import load_yaml
from vidalign.types import Recipe


def recipe_names() -> tuple[str, ...]:
    """Names of the built-in recipes, sorted."""
    found = (files("vidalign.weights") / "recipes").iterdir()
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in found if entry.name.endswith(".yaml")))


def get_recipe(name_or_path: str | os.PathLike[str]) -> Recipe:
    """The built-in recipe of that name, else the recipe in that YAML file.

    A file without the key `name` is named by its stem. Raises ConfigError when there is neither, when the
    file is not a recipe, or when it gives other values to a built-in's name.
    """
    text = os.fspath(name_or_path)
    if text in recipe_names():
        return _built_in(text)
    path = Path(text)
    if not path.is_file():
        built_in = f"built in: {', '.join(recipe_names())}; or give a YAML file"
        raise ConfigError(f"unknown recipe {text!r}", hint=did_you_mean(text, recipe_names(), built_in))
    values = _read_mapping(path)
    return unlike_built_in(Recipe.from_mapping({"name": path.stem, **values}, where=text), text)


def unlike_built_in(recipe: Recipe, where: str) -> Recipe:
    """The recipe; raises ConfigError where it bears a built-in one's name with other values."""
    if recipe.name in recipe_names() and (lines := recipe.differences(_built_in(recipe.name))):
        raise ConfigError(
            f"{where}: the recipe {recipe.name!r} is built in with other values ({lines[0]})",
            hint="give it a name of its own",
        )
    return recipe


@cache
def _built_in(name: str) -> Recipe:
    source = files("vidalign.weights") / "recipes" / f"{name}.yaml"
    values = load_yaml(source.read_text("utf-8"))
    return Recipe.from_mapping(values, where=f"recipe {name}")


def _read_mapping(path: Path) -> Mapping[str, Any]:
    try:
        values = load_yaml(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: cannot be read as a recipe: {reason}") from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigError(f"{path}: a recipe is a YAML mapping of names to values")
    return values

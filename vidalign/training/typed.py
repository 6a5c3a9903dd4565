"""Plain values to nested frozen dataclasses by their annotations, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from vidalign.errors import ConfigError, did_you_mean
from vidalign.training.documents import Document, Keys

Settings = TypeVar("Settings")

_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Path: "a path"}


def build(cls: type[Settings], values: Any, document: Document, keys: Keys = ()) -> Settings:
    """A dataclass from the mapping at `keys`; `document` tells where each value stands.

    Fields may be bool, int, float, str, Path, Literal, tuple[X, ...], Mapping[str, X], dataclasses, or any
    of these with None. Raises ConfigError on unknown, missing, mistyped and (`__post_init__`) wrong values.
    """
    if values is None:
        values = {}
    if not isinstance(values, Mapping):
        raise _error(document, keys, f"'key: value' lines are expected, not {values!r}")
    known = {f.name: f for f in fields(cls) if f.init}  # type: ignore[arg-type]
    check_keys(values, known, document, keys)
    hints = get_type_hints(cls)
    made = {key: convert(hints[key], value, document, (*keys, key)) for key, value in values.items()}
    for name, found in known.items():
        if name in made or found.default is not MISSING or found.default_factory is not MISSING:
            continue
        if not (is_dataclass(hints[name]) and isinstance(hints[name], type)):
            raise _error(document, keys, f"the key {'.'.join((*keys, name))!r} is missing")
        made[name] = build(hints[name], {}, document, (*keys, name))
    try:
        return cls(**made)
    except (ConfigError, ValueError) as error:
        hint = error.hint if isinstance(error, ConfigError) else ""
        message = error.message if isinstance(error, ConfigError) else str(error)
        raise _error(document, _blamed(message, made, keys), message, hint) from None


def check_keys(values: Mapping[Any, Any], known: Mapping[str, Any], document: Document, keys: Keys) -> None:
    """Raises ConfigError on the first key that is not known, with the nearest that is."""
    for key in values:
        if key not in known:
            section = f" in {'.'.join(keys)}" if keys else ""
            raise ConfigError(
                f"{document.place((*keys, str(key)))}: unknown key {str(key)!r}{section}",
                hint=did_you_mean(key, sorted(known)),
            )


def convert(kind: Any, value: Any, document: Document, keys: Keys) -> Any:
    """One value as its annotation wants it; raises ConfigError."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _one_of(get_args(kind), value, document, keys)
    if is_dataclass(kind) and isinstance(kind, type):
        return build(kind, value, document, keys)
    if origin is Literal:
        if value not in get_args(kind) or isinstance(value, bool) != (True in get_args(kind)):
            choices = ", ".join(map(str, get_args(kind)))
            raise _error(document, keys, f"{keys[-1]} is {value!r}; one of {choices}")
        return value
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(convert(get_args(kind)[0], each, document, keys) for each in value)
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
        inner = get_args(kind)[1]
        return {str(k): convert(inner, v, document, (*keys, str(k))) for k, v in value.items()}
    if kind is Any:
        return value
    return _plain(kind, value, document, keys)


def _one_of(kinds: Sequence[Any], value: Any, document: Document, keys: Keys) -> Any:
    if value is None and NoneType in kinds:
        return None
    others = [kind for kind in kinds if kind is not NoneType]
    for kind in others[:-1]:
        if isinstance(kind, type) and type(value) is kind:
            return value
    return convert(others[-1], value, document, keys)


def _plain(kind: Any, value: Any, document: Document, keys: Keys) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    if type(value) is kind:
        return value
    wanted = _NAMES.get(kind, "a list" if get_origin(kind) is tuple else "another kind of value")
    raise _error(document, keys, f"{'.'.join(keys)} must be {wanted}, not {value!r}")


def to_plain(value: Any) -> Any:
    """The inverse of `build`: dicts, lists and scalars, in the order of the fields."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value) if f.init}
    if isinstance(value, Mapping):
        return {str(key): to_plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value


def differences(mine: Any, theirs: Any, keys: Keys = ()) -> list[tuple[Keys, Any, Any]]:
    """(keys, mine, theirs) wherever two plain values differ; a missing key counts as None."""
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        every = [*mine, *(key for key in theirs if key not in mine)]
        return [d for key in every for d in differences(mine.get(key), theirs.get(key), (*keys, key))]
    return [] if mine == theirs else [(keys, mine, theirs)]


def _blamed(message: str, made: Mapping[str, Any], keys: Keys) -> Keys:
    """The key that a message names first, if it names one, so that its line is told."""
    first = message.split(maxsplit=1)[0].strip(":'\"") if message else ""
    return (*keys, first) if first in made else keys


def _error(document: Document, keys: Keys, message: str, hint: str = "") -> ConfigError:
    return ConfigError(f"{document.place(keys)}: {message}", hint=hint)

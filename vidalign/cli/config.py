"""Defaults of options from ./vidalign.yaml and the user's own file; flags and environment win over both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from vidalign.errors import ConfigError, did_you_mean
from vidalign.outside import UnreadableError, load_yaml

PROJECT_FILE = "vidalign.yaml"
USER_FILE = "config.yaml"


def load_defaults(group: click.Group, ctx: click.Context) -> tuple[dict[str, Any], list[Path]]:
    """Click's `default_map` for `group`, and the files it was made of.

    A file holds a section a command (`extract: {dtype: float32}`). Raises ConfigError on files that are not
    YAML, unknown sections and keys, and values that their option refuses.
    """
    files = [path for path in (user_file(), Path(PROJECT_FILE)) if path.is_file()]
    merged: dict[str, Any] = {}
    for path in files:
        _merge(merged, _group_defaults(group, ctx, _read(path), str(path)))
    return merged, files


def user_file() -> Path:
    """Where the user's configuration lies; it need not exist."""
    from vidalign.weights.defaults import config_dir

    return config_dir() / USER_FILE


def _read(path: Path) -> dict[str, Any]:
    try:
        document = load_yaml(path.read_bytes())
    except UnreadableError as error:
        raise ConfigError(f"{path}{f':{error.line}' if error.line else ''}: {error}") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    return _mapping(document, str(path))


def _group_defaults(
    group: click.Group, ctx: click.Context, sections: Mapping[str, Any], where: str
) -> dict[str, Any]:
    names = group.list_commands(ctx)
    defaults = {}
    for name, section in sections.items():
        command = group.get_command(ctx, name) if name in names else None
        if command is None:
            raise _unknown(name, names, where, "command")
        inner = click.Context(command, ctx, info_name=name, resilient_parsing=True)
        place = f"{where}: {name}"
        if isinstance(command, click.Group):
            defaults[name] = _group_defaults(command, inner, _mapping(section, place), place)
        else:
            defaults[name] = _command_defaults(command, inner, _mapping(section, place), place)
    return defaults


def _command_defaults(
    command: click.Command, ctx: click.Context, values: Mapping[str, Any], where: str
) -> dict[str, Any]:
    options = {
        option.name: option
        for option in command.params
        if isinstance(option, click.Option) and option.name and not option.is_eager
    }
    by_spelling = {_spelled(option): name for name, option in options.items()}
    defaults = {}
    for key, value in values.items():
        name = by_spelling.get(str(key).replace("_", "-"))
        if name is None:
            raise _unknown(key, by_spelling, where, "key")
        defaults[name] = _accepted(options[name], ctx, value, f"{where}: {key}")
    return defaults


def _accepted(option: click.Option, ctx: click.Context, value: Any, where: str) -> Any:
    many = option.multiple or option.nargs != 1
    if many and isinstance(value, list | tuple):
        scalars = list(value)
    elif option.multiple and isinstance(value, str | int | float):
        scalars = value = [value]
    else:
        scalars = [value]
    if not scalars or any(not isinstance(scalar, str | int | float) for scalar in scalars):
        raise ConfigError(f"{where}: {value!r} is not a value of --{_spelled(option)}")
    try:
        option.type_cast_value(ctx, value)
    except click.BadParameter as error:
        raise ConfigError(f"{where}: {error.message}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{where}: {value!r} is not a value of --{_spelled(option)}") from error
    return value


def _spelled(option: click.Option) -> str:
    long = [name for name in option.opts if name.startswith("--")]
    return (long or option.opts)[0].lstrip("-")


def _mapping(value: object, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: 'key: value' lines are expected, not {value!r}")
    return value


def _unknown(key: object, known: Any, where: str, kind: str) -> ConfigError:
    return ConfigError(f"{where}: unknown {kind} {key!r}", hint=did_you_mean(key, sorted(known)))


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value

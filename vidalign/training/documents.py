"""YAML that remembers its lines: mappings with the place of every key, duplicate keys refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from vidalign.errors import ConfigError
from vidalign.outside import UnreadableError, compose_yaml, load_yaml

Keys = tuple[str, ...]
"""Where a value lies: ("data", "features")."""


class _Loader(yaml.SafeLoader):
    """Reads 1e-4 as a number, which YAML 1.1 takes for a word."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+"), list("-+0123456789")
)


@dataclass
class Document:
    """Nested plain values, the file they come from and the line of every key; `changed` keys came later."""

    values: dict[str, Any]
    name: str
    lines: dict[Keys, int] = field(default_factory=dict)
    changed: set[Keys] = field(default_factory=set)

    def place(self, keys: Keys) -> str:
        """Where `keys`, or the nearest key above them, was given: "train.yaml:3" or "--set data.features"."""
        for end in range(len(keys), 0, -1):
            if keys[:end] in self.changed:
                return f"--set {'.'.join(keys[:end])}"
            if keys[:end] in self.lines:
                return f"{self.name}:{self.lines[keys[:end]]}"
        return self.name

    def change(self, assignments: Sequence[str]) -> None:
        """Apply KEY=VALUE lines, KEY dotted, VALUE in YAML; raises ConfigError."""
        for assignment in assignments:
            key, equals, text = assignment.partition("=")
            keys = tuple(key.strip().split("."))
            if not equals or not all(keys):
                raise ConfigError(f"--set {assignment}: KEY=VALUE is expected", hint="such as data.workers=2")
            self._assign(keys, _parse(text, f"--set {key}"))

    def _assign(self, keys: Keys, value: Any) -> None:
        section = self.values
        for key in keys[:-1]:
            inner = section.get(key)
            section[key] = section = dict(inner) if isinstance(inner, Mapping) else {}
        section[keys[-1]] = value
        self.changed.add(keys)


def read_document(path: Path) -> Document:
    """The mapping in a YAML file; raises ConfigError with the line."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    document = Document({}, str(path))
    try:
        root = compose_yaml(text, _Loader)
    except UnreadableError as error:
        raise _not_yaml(str(path), error) from None
    if root is None:
        return document
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{path}: 'key: value' lines are expected")
    _note_lines(root, (), document)
    document.values = _parse(text, str(path))
    return document


def _note_lines(node: yaml.MappingNode, above: Keys, document: Document) -> None:
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError(f"{document.name}:{line}: a key is a plain word")
        keys = (*above, str(key.value))
        if keys in document.lines:
            raise ConfigError(f"{document.name}:{line}: {'.'.join(keys)} is given twice")
        document.lines[keys] = line
        if isinstance(value, yaml.MappingNode):
            _note_lines(value, keys, document)


def _parse(text: str, where: str) -> Any:
    try:
        return load_yaml(text, _Loader)
    except UnreadableError as error:
        raise _not_yaml(where, error) from None


def _not_yaml(where: str, error: UnreadableError) -> ConfigError:
    line = f":{error.line}" if error.line and not where.startswith("--") else ""
    return ConfigError(f"{where}{line}: {error}")

"""YAML, JSON and arrays of strangers, read so that whatever is wrong with them is one `UnreadableError`."""

from __future__ import annotations

import json
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

MOST_VALUES = 200_000
"""Values of a YAML document, those behind an alias counted at each use of it."""

_TOO_DEEP = "it is nested too deeply"
_OF_ARRAYS = (
    *(ValueError, TypeError, KeyError, EOFError, OverflowError, MemoryError, SyntaxError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)
"""What numpy and zipfile raise; RuntimeError of archives with a password, or of a kind they do not know."""
_OF_YAML_TAGS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What PyYAML lets through where a scalar is not what its tag says (`!!bool x`, `2026-99-99`)."""


class UnreadableError(ValueError):
    """What is wrong with a text or array; `line` is where, 0 for nowhere in particular."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def load_yaml(text: str | bytes, loader: type[yaml.SafeLoader] | None = None) -> Any:
    """The one document of a YAML text; raises UnreadableError."""
    with _reading_yaml():
        reading = _loader(text, loader)
        try:
            root = reading.get_single_node()
            _weigh(root)
            return None if root is None else reading.construct_document(root)
        finally:
            reading.dispose()


def compose_yaml(text: str | bytes, loader: type[yaml.SafeLoader] | None = None) -> yaml.Node | None:
    """The nodes of the one document of a YAML text, which know their lines; raises UnreadableError."""
    with _reading_yaml():
        reading = _loader(text, loader)
        try:
            root: yaml.Node | None = reading.get_single_node()
            _weigh(root)
            return root
        finally:
            reading.dispose()


def load_json(text: str | bytes) -> Any:
    """The value of a JSON text; raises UnreadableError."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableError(f"not JSON: {error.msg}", error.lineno) from None
    except RecursionError:
        raise UnreadableError(f"not JSON: {_TOO_DEEP}") from None
    except ValueError as error:
        raise UnreadableError(f"not JSON: {error}") from None


@contextmanager
def reading_arrays() -> Iterator[None]:
    """For calls of numpy on files of others: what it raises, but OSError, becomes an UnreadableError."""
    try:
        yield
    except UnreadableError:
        raise
    except _OF_ARRAYS as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UnreadableError(reason) from None


def _loader(text: str | bytes, loader: type[yaml.SafeLoader] | None) -> yaml.SafeLoader:
    import yaml

    return (loader or yaml.SafeLoader)(text)


@contextmanager
def _reading_yaml() -> Iterator[None]:
    import yaml

    try:
        yield
    except UnreadableError:
        raise
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise UnreadableError(f"not valid YAML: {error.problem or error.context}", line) from None
    except yaml.YAMLError as error:
        raise UnreadableError(f"not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise UnreadableError(f"not valid YAML: {_TOO_DEEP}") from None
    except _OF_YAML_TAGS as error:
        raise UnreadableError(f"not valid YAML: {error}") from None


def _weigh(root: yaml.Node | None) -> None:
    """Raise UnreadableError where aliases make a small text large, or a value hold itself."""
    if root is not None and _values_in(root, {}) > MOST_VALUES:
        raise UnreadableError(f"not valid YAML: with its aliases it holds more than {MOST_VALUES:,} values")


def _values_in(node: yaml.Node, known: dict[int, int]) -> int:
    if id(node) in known:
        if not known[id(node)]:
            raise UnreadableError("not valid YAML: a value holds itself", node.start_mark.line + 1)
        return known[id(node)]
    known[id(node)] = 0
    inner = node.value if isinstance(node.value, list) else ()
    children = (each for held in inner for each in (held if isinstance(held, tuple) else (held,)))
    known[id(node)] = 1 + sum(_values_in(child, known) for child in children)
    return known[id(node)]

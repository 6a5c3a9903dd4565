"""JSON as vidalign writes it: no NaN or Infinity, one document a file, UTF-8."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from vidalign.errors import StoreError
from vidalign.store.hdf5 import check_schema
from vidalign.types import Recipe

_SURROGATE = re.compile("[\ud800-\udfff]")


def value(given: Any) -> Any:
    """One attribute as a JSON value; None for numbers that are not finite, float32 in its shortest digits."""
    if isinstance(given, Recipe):
        return json.loads(given.to_json())
    if isinstance(given, np.floating):
        given = float(str(given))
    if isinstance(given, np.generic):
        given = given.item()
    if isinstance(given, float) and not math.isfinite(given):
        return None
    return given


def rows(array: np.ndarray[Any, Any]) -> list[Any]:
    """An array as nested lists; None for NaN and infinite cells, float32 in its shortest digits."""
    if array.ndim > 1:
        return [rows(row) for row in array]
    if array.dtype == np.float64:
        return [v if math.isfinite(v) else None for v in array.tolist()]
    return [float(str(v)) if np.isfinite(v) else None for v in array]


def dumps(document: Mapping[str, Any]) -> str:
    """One line of JSON; letters stay letters, lone surrogates (undecodable file names) become escapes."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def load(path: Path, schema: str) -> dict[str, Any]:
    """A complete JSON document of `schema`; raises StoreError."""
    try:
        document = json.loads(path.read_bytes().decode("utf-8-sig"), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise StoreError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"cannot read {path} as JSON: {error}") from error
    if not isinstance(document, dict):
        raise StoreError(f"{path} is not a vidalign file: it holds no JSON object")
    check_schema(document.get("schema"), schema, path)
    if document.get("complete") is not True:
        raise StoreError(f"{path} was not written to its end", hint="make it again with --overwrite")
    return document


def text(entry: Mapping[str, Any], key: str) -> str:
    """A string of an entry; raises KeyError or TypeError."""
    if not isinstance(entry[key], str):
        raise TypeError(f"{key} is {entry[key]!r}, not text")
    return str(entry[key])


def number(entry: Mapping[str, Any], key: str) -> float | None:
    """A number of an entry, None where it is null; raises KeyError or TypeError."""
    found = entry[key]
    if found is not None and (isinstance(found, bool) or not isinstance(found, int | float)):
        raise TypeError(f"{key} is {found!r}, not a number")
    return None if found is None else float(found)


def integer(entry: Mapping[str, Any], key: str) -> int:
    """A whole number of an entry, or a truth value; raises KeyError or TypeError."""
    if not isinstance(entry[key], int):
        raise TypeError(f"{key} is {entry[key]!r}, not a whole number")
    return int(entry[key])


def mapping(given: object, name: str, path: Path) -> dict[str, Any]:
    """A mapping stored as an object or as JSON text; empty for unknown."""
    with explained(path):
        parsed = json.loads(given) if isinstance(given, str) else given
        if parsed is None:
            return {}
        if not isinstance(parsed, dict):
            raise TypeError(f"{name} is {parsed!r}")
        return parsed


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the errors of taking a document apart into a StoreError."""
    try:
        yield
    except KeyError as error:
        raise StoreError(f"{path} does not hold what its schema promises: {error} is missing") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise StoreError(f"{path} does not hold what its schema promises: {error}") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")

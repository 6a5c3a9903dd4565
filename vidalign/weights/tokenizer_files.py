"""Tokenizer files that belong to a text tower, as JSON: what they are, and how many entries they have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from vidalign.errors import ModelError
from vidalign.outside import load_json

JsonKind = Literal["tokenizer", "tokenizer_config"]

_SPARE = 0.01
"""Share of a text tower's table that may have no entry of the vocabulary: tables are filled up to round
numbers."""


def json_kind(path: Path) -> JsonKind | None:
    """What a JSON file of a model is, None: neither; raises ModelError where it cannot be read."""
    values = read_json(path)
    if isinstance(values.get("model"), Mapping) and "vocab" in values["model"]:
        return "tokenizer"
    return "tokenizer_config" if {"tokenizer_class", "pad_token"} & set(values) else None


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; raises ModelError where there is none."""
    try:
        values = load_json(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read as JSON: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ModelError(f"{path}: holds no JSON object, but a {type(values).__name__}")
    return values


def entries(tokenizer: Mapping[str, Any]) -> int:
    """Entries of a tokenizer.json, counted up to its highest id; raises ModelError where it has no such."""
    try:
        vocabulary = tokenizer["model"]["vocab"]
        own = vocabulary.values() if isinstance(vocabulary, Mapping) else range(len(vocabulary))
        added = (token["id"] for token in tokenizer.get("added_tokens") or ())
        return max((int(number) for number in (*own, *added)), default=-1) + 1
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ModelError(f"the tokenizer has no vocabulary of words and their numbers: {error!r}") from None


def check_size(found: int, rows: int, where: str) -> None:
    """Raise ModelError unless a vocabulary of `found` entries is that of a table of `rows`."""
    if found > rows or found < rows * (1 - _SPARE):
        raise ModelError(
            f"{where}: a vocabulary of {found} entries, but the model's text tower has {rows}",
            hint="it is the tokenizer of another model",
        )

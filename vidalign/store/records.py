"""The notes that a batch keeps beside its outputs: how it runs, and what failed. Small JSON documents."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidalign.errors import StoreError
from vidalign.store.atomic import create_text, write_text

RUN = "run.json"
FAILURE = ".error.json"


def run_of(task: str) -> str:
    """The run file of a task in a folder whose `run.json` is another's."""
    return f"run-{task}.json"


RUNS = (RUN, run_of("extract"), run_of("align"))


def is_record(name: str) -> bool:
    """Whether a file of this name is a batch's note, and so no output."""
    return name in RUNS or name.endswith(FAILURE)


def failure_path(output: Path) -> Path:
    """Where the failure to make `output` is recorded: a.h5 -> a.error.json."""
    return output.with_name(output.name.removesuffix(output.suffix) + FAILURE)


def read_record(path: Path, schema: str) -> dict[str, Any] | None:
    """A document of `schema`, None where there is no file; raises StoreError for any other file."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}", errno=error.errno) from None
    return parse_record(data, path, schema)


def parse_record(data: bytes, path: Path, schema: str) -> dict[str, Any]:
    """The content of a document of `schema`; raises StoreError for any other."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise StoreError(f"{path} is no note of vidalign: it is no JSON", hint="remove it") from None
    found = document.get("schema") if isinstance(document, dict) else None
    if found != schema:
        raise StoreError(f"{path} holds {found or 'something else'}, not {schema}", hint="remove it")
    return dict(document)


def write_record(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document, in place of the one before; raises StoreError."""
    write_text(path, _text(document))


def create_record(path: Path, document: Mapping[str, Any]) -> bool:
    """Write a document unless there is one; whether it was written. Raises StoreError."""
    return create_text(path, _text(document))


def _text(document: Mapping[str, Any]) -> str:
    """Lines that people can read; names that are no UTF-8 as escapes."""
    return json.dumps(document, indent=2, allow_nan=False) + "\n"

"""Files the user already has come into the cache: told apart by content, checked, converted once."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors import SafetensorError

from vidalign.errors import MissingExtraError, ModelError
from vidalign.weights.cache import (
    Pin,
    hash_file,
    lies_beside,
    owner,
    read_pins,
    replacing,
    stored_path,
    write_pin,
)
from vidalign.weights.cards import CardFile, ModelCard, list_cards
from vidalign.weights.convert import Shapes, match, read_tensors
from vidalign.weights.sniff import sniff
from vidalign.weights.tensors import save_tensors
from vidalign.weights.tokenizer_files import check_size, entries, json_kind, read_json

Tensors = Mapping[str, torch.Tensor]
State = Literal["added", "same", "replaced"]

_TENSOR_ROLES = ("backbone", "aligner")
_PIECES = frozenset({"[PAD]", "[UNK]", "[CLS]", "[SEP]"})


@dataclass(frozen=True, slots=True)
class Checks:
    """What adding needs to know from the rooms that use the files.

    `shapes` gives the state-dict names and shapes of a card's role; `read_words` the words of a dictionary
    file for a table of that many rows, or raises ModelError; `rename` a published state dict of a card's role
    under the names of `shapes`.
    """

    shapes: Callable[[ModelCard, str], Shapes]
    read_words: Callable[[Path, int], list[str]]
    rename: Callable[[ModelCard, str, Tensors], Tensors] = lambda card, role, tensors: tensors


@dataclass(frozen=True, slots=True)
class Added:
    """One file that came in, or was there already; `card` is the model it is kept under."""

    card: str
    role: str
    file: Path
    path: Path
    sha256: str
    state: State
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Ready:
    """A checked file, ready to be written by `write`."""

    report: Added
    pin: Pin
    write: Callable[[Path], None]


def add_files(
    card: ModelCard,
    paths: Sequence[Path],
    checks: Checks,
    *,
    overwrite: bool = False,
    dry_run: bool = False,
    source: str = "",
) -> tuple[Added, ...]:
    """Check every file, then convert them into the cache; `source` is recorded as where they came from.

    The same file again changes nothing. Raises ModelError, before anything is written, when a file is unsafe,
    not this model's, or another one is already there and `overwrite` is not given.
    """
    ready = [_prepare(card, path, checks) for path in paths]
    roles = [(item.report.card, item.report.role) for item in ready]
    for place, item in enumerate(ready):
        if (item.report.card, item.report.role) in roles[:place]:
            raise ModelError(f"{item.report.file}: a second {item.report.role} file", hint="give one of each")
    decided = [replace(item, report=_decide(item, overwrite)) for item in ready]
    for item in decided:
        if item.report.state != "same" and not dry_run:
            _store(item, source)
    return tuple(item.report for item in decided)


def _prepare(card: ModelCard, path: Path, checks: Checks) -> _Ready:
    kind = sniff(path)
    if kind == "npy":
        held, entry = _entry(card, "dictionary", path)
        words = checks.read_words(path, _table_rows(card))
        return _ready(held, entry, path, lambda target: _write_words(target, words))
    if kind == "json":
        held, entry = _entry(card, _json_role(card, path), path)
        data = path.read_bytes()
        return _ready(held, entry, path, lambda target: _write_bytes(target, data))
    if kind == "text":
        lines = _vocabulary(path)
        held, entry = _entry(card, "vocab", path)
        return _ready(held, entry, path, lambda target: _write_lines(target, lines))
    globals_ = tuple(name for entry in card.files for name in entry.pickle_globals)
    tensors = read_tensors(path, globals_)
    role = _role_of(card, tensors, checks, path)
    held, entry = owner(card, role)
    fitting = _fitting(held, role, tensors, checks, path)
    return _ready(held, entry, path, lambda target: save_tensors(target, fitting))


def _entry(card: ModelCard, role: str, path: Path) -> tuple[ModelCard, CardFile]:
    roles = [str(entry.role) for entry in card.files]
    if role not in roles:
        raise ModelError(
            f"{path}: a {role} file, which model {card.name!r} does not need",
            hint=f"it has: {', '.join(roles)}",
        )
    return owner(card, role)


def _ready(held: ModelCard, entry: CardFile, path: Path, write: Callable[[Path], None]) -> _Ready:
    if lies_beside(held, entry):
        place = "inside the package" if held.folder is None else f"whole in {held.folder}"
        raise ModelError(f"model {held.name!r} lies {place}; nothing can be added to it")
    sha256, size = hash_file(path), path.stat().st_size
    odd = not sha256.startswith(entry.sha256 or entry.sha256_prefix)
    warnings = (f"{path} fits, but is not the published file: its sha256 is {sha256}",) if odd else ()
    target = stored_path(held, entry.role)
    report = Added(held.name, entry.role, path, target, sha256, "added", warnings)
    return _Ready(report, Pin("", 0, path.name, sha256, size), write)


def _decide(item: _Ready, overwrite: bool) -> Added:
    """The report with its state (a damaged copy of the same file is replaced).

    Raises ModelError when another file is in the way.
    """
    report = item.report
    if not report.path.is_file():
        return report
    pin = read_pins(report.card).get(report.role)
    if pin is not None and report.sha256 in (pin.original_sha256, pin.sha256):
        intact = hash_file(report.path) == pin.sha256
        return replace(report, state="same" if intact else "replaced")
    if not overwrite:
        known = f" (from {pin.original_name}, sha256 {pin.original_sha256})" if pin else ""
        raise ModelError(
            f"{report.file}: model {report.card!r} already has another {report.role}{known}",
            hint="--overwrite replaces it",
        )
    return replace(report, state="replaced")


def _store(item: _Ready, source: str) -> None:
    report = item.report
    with replacing(report.path) as temporary:
        try:
            item.write(temporary)
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{report.path}: cannot be written: {error}") from None
        stored = replace(item.pin, sha256=hash_file(temporary), size=temporary.stat().st_size, source=source)
    write_pin(report.card, report.role, stored)


def _fitting(card: ModelCard, role: str, tensors: Tensors, checks: Checks, path: Path) -> Tensors:
    """The tensors that the card's network has; where they are not, a model that they fit is named."""
    try:
        return match(checks.rename(card, role, tensors), checks.shapes(card, role), what=str(path))
    except ModelError as error:
        if other := _nearest(tensors, checks, whole=True):
            hint = f"it is a file of another model: {_command(other, path)}"
            raise ModelError(error.message, hint=hint) from None
        raise


def _role_of(card: ModelCard, tensors: Tensors, checks: Checks, path: Path) -> str:
    """The card's role that shares most names with the file."""
    shared = _shared_names(card, tensors, checks)
    role = max(shared, key=lambda key: shared[key], default="")
    if role and shared[role]:
        return role
    hint = f"its first names: {', '.join(list(tensors)[:3])}"
    if other := _nearest(tensors, checks):
        hint = f"they look like those of another model: {_command(other, path)}"
    raise ModelError(f"{path}: these are not the weights of {card.name}", hint=hint)


def _command(card: ModelCard, path: Path) -> str:
    return f"`vidalign models add {card.name} {shlex.quote(str(path))}`"


def _nearest(tensors: Tensors, checks: Checks, *, whole: bool = False) -> ModelCard | None:
    """The known model that shares most names with the tensors; `whole`: only one that they fit exactly."""
    best, most = None, 0
    for card in list_cards():
        try:
            known = _known_names(card, tensors, checks)
        except MissingExtraError:  # a network that is not here
            continue
        for role, (names, shapes) in known.items():
            fits = names == set(shapes) and _same_shapes(checks.rename(card, role, tensors), shapes)
            shared = len(names & set(shapes)) if fits or not whole else 0
            if shared > most:
                best, most = card, shared
    return best


def _same_shapes(tensors: Tensors, shapes: Shapes) -> bool:
    return all(tuple(tensors[name].shape) == shape for name, shape in shapes.items())


def _shared_names(card: ModelCard, tensors: Tensors, checks: Checks) -> dict[str, int]:
    known = _known_names(card, tensors, checks)
    return {role: len(names & set(shapes)) for role, (names, shapes) in known.items()}


def _known_names(card: ModelCard, tensors: Tensors, checks: Checks) -> dict[str, tuple[set[str], Shapes]]:
    """Names of the tensors as the card would have them, and the network's shapes, by role."""
    roles = [entry.role for entry in card.files if entry.role in _TENSOR_ROLES and not entry.bundled]
    held = {role: owner(card, role)[0] for role in roles}
    return {
        role: (set(checks.rename(own, role, tensors)), checks.shapes(own, role)) for role, own in held.items()
    }


def _table_rows(card: ModelCard) -> int:
    """Rows of the card's word table, the smallest where it has several."""
    specs = [spec for spec in (card.backbone, card.aligner) if spec is not None]
    rows = [int(spec.config["vocabulary"]) for spec in specs if "vocabulary" in spec.config]
    if not rows:
        raise ModelError(f"model {card.name!r} has no word table")
    return min(rows)


def _json_role(card: ModelCard, path: Path) -> str:
    """What a JSON file is; raises ModelError for a tokenizer that is not the text tower's."""
    role = json_kind(path)
    if role is None:
        raise ModelError(
            f"{path}: a JSON file, but neither a tokenizer.json nor a tokenizer_config.json",
            hint="a vocab.json alone is not enough",
        )
    text = card.backbone.config.get("text_config") if card.backbone is not None else None
    if role == "tokenizer" and isinstance(text, Mapping) and "vocab_size" in text:
        check_size(entries(read_json(path)), text["vocab_size"], str(path))
    return role


def _vocabulary(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: not UTF-8 text: {error}") from None
    if not set(lines) >= _PIECES:
        raise ModelError(f"{path}: a text file, but not a BERT vocabulary (no [PAD], [UNK], [CLS], [SEP])")
    return lines


def _write_bytes(target: Path, data: bytes) -> None:
    target.write_bytes(data)


def _write_lines(target: Path, lines: list[str]) -> None:
    target.write_text("\n".join(lines) + "\n", "utf-8")


def _write_words(target: Path, words: list[str]) -> None:
    with target.open("wb") as stream:
        np.save(stream, np.array(words, dtype=np.str_), allow_pickle=False)

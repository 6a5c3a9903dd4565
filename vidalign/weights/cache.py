"""Where a model's files lie: beside its card (in the package, in a model folder), else in the cache.

The cache holds a record of what was verified; a model folder's card says itself what its files are.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import platformdirs

from vidalign.errors import MissingModelError, ModelError
from vidalign.outside import load_json
from vidalign.weights.cards import CardFile, ModelCard, get_card
from vidalign.weights.hub import how_to_get as hub_how_to_get

PINS_SCHEMA = "vidalign.pins/1"


@dataclass(frozen=True, slots=True)
class Pin:
    """What was verified when a file came into the cache.

    `sha256` and `size` belong to the stored file, `original_*` to the file it was converted from.
    """

    sha256: str
    size: int
    original_name: str
    original_sha256: str
    original_size: int
    source: str = ""


def cache_dir() -> Path:
    """`$VIDALIGN_CACHE`, else the user's cache folder of this platform."""
    given = os.environ.get("VIDALIGN_CACHE")
    return Path(given).expanduser() if given else platformdirs.user_cache_path("vidalign")


def model_dir(name: str) -> Path:
    """Folder of one model in the cache; it need not exist."""
    return cache_dir() / "models" / name


def owner(card: ModelCard | str, role: str) -> tuple[ModelCard, CardFile]:
    """The card under which a file is kept (another one for a shared file), and its entry there."""
    held = get_card(card) if isinstance(card, str) else card
    entry = held.file(role)
    return owner(entry.shared_with, role) if entry.shared_with else (held, entry)


def stored_path(card: ModelCard | str, role: str) -> Path:
    """Where the file of that role lies, or would lie."""
    held, entry = owner(card, role)
    if entry.bundled:
        return Path(str(files(held.package) / "bundled" / entry.name))
    if held.folder is not None:
        return held.folder / entry.name
    return model_dir(held.name) / entry.stored_name


def lies_beside(held: ModelCard, entry: CardFile) -> bool:
    """Whether a file came with its card, so that nothing is added or fetched, and the card has its hash."""
    return entry.bundled or held.folder is not None


def missing_roles(card: ModelCard | str) -> tuple[str, ...]:
    """Roles of the card's files that are not on this machine."""
    held = get_card(card) if isinstance(card, str) else card
    return tuple(entry.role for entry in held.files if not stored_path(held, entry.role).is_file())


def locate(card: ModelCard | str, role: str) -> Path:
    """Path of a file that is here; raises MissingModelError with the command that brings it.

    A model folder's file that is not the one its card names raises ModelError.
    """
    path = stored_path(card, role)
    if not path.is_file():
        raise missing_model(get_card(card) if isinstance(card, str) else card)
    held, entry = owner(card, role)
    if held.folder is not None:
        _check_folder_file(path, entry)
    return path


def missing_model(card: ModelCard) -> MissingModelError:
    """The error that names a card's missing files and the commands that bring them."""
    gone = [owner(card, role)[1] for role in missing_roles(card)]
    names = " and ".join(entry.name for entry in gone)
    state = "not on this machine" if len(gone) == len(card.files) else "not complete on this machine"
    return MissingModelError(
        f"model {card.reference!r} is {state}: {names} {'is' if len(gone) == 1 else 'are'} missing",
        hint=how_to_get(card),
    )


def how_to_get(card: ModelCard, *, download: bool = True) -> str:
    """The commands that bring a card's missing files (all of them if none is), for a message."""
    roles = missing_roles(card) or tuple(entry.role for entry in card.files)
    entries = [owner(card, role)[1] for role in roles]
    if any(entry.bundled for entry in entries):
        return f"install {card.package.partition('.')[0]} again, its package has lost files"
    if card.hub:
        return hub_how_to_get(card.name)
    if card.folder is not None:
        return (
            f"{card.folder} must hold {' and '.join(entry.name for entry in entries)}: copy it again, whole"
        )
    names = shlex.join(entry.name for entry in entries)
    add = f"with the files at hand: `vidalign models add {card.name} {names}`"
    if not download or not any(entry.sources for entry in entries):
        return add
    return f"{add}; to download them: `vidalign models fetch {card.name}`"


def file_sha256(card: ModelCard | str, role: str) -> str:
    """SHA-256 of the stored file (pinned when it was verified, else computed)."""
    path = locate(card, role)
    held, entry = owner(card, role)
    if held.folder is not None:
        return _hash_unchanged(path, *_stamp(path))
    pin = read_pins(held.name).get(entry.role)
    if not entry.bundled and pin is not None and pin.size == path.stat().st_size:
        return pin.sha256
    return hash_file(path)


def weights_sha256(card: ModelCard | str, role: str, path: Path) -> str:
    """SHA-256 that stands for a weights file of the user's.

    A checkpoint that was added to the model counts as the file it was converted to, for they hold the same.
    """
    digest = hash_file(path)
    held, entry = owner(card, role)
    pin = None if lies_beside(held, entry) else read_pins(held.name).get(entry.role)
    return pin.sha256 if pin is not None and pin.original_sha256 == digest else digest


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; raises ModelError when it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}") from None


def _check_folder_file(path: Path, entry: CardFile) -> None:
    """Raise ModelError unless the file has the size and the hash that its card names."""
    size, changed = _stamp(path)
    if entry.size is not None and size != entry.size:
        raise _not_as_named(path, f"{size} bytes instead of {entry.size}")
    if entry.sha256 is not None and (sha256 := _hash_unchanged(path, size, changed)) != entry.sha256:
        raise _not_as_named(path, f"sha256 {sha256} instead of {entry.sha256}")


def _not_as_named(path: Path, how: str) -> ModelError:
    return ModelError(
        f"{path} is not the file that its card names: {how}", hint="copy the folder again, whole"
    )


def _stamp(path: Path) -> tuple[int, int]:
    """Size in bytes and time of the last change in nanoseconds."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=64)
def _hash_unchanged(path: Path, size: int, changed: int) -> str:
    """The hash of a file of that stamp, computed once in this process."""
    return hash_file(path)


def read_pins(name: str) -> dict[str, Pin]:
    """What was verified of a model on this machine, by role; empty when nothing was."""
    path = model_dir(name) / "pins.json"
    try:
        loaded = load_json(path.read_text("utf-8"))
        if loaded["schema"] != PINS_SCHEMA:
            raise ModelError(f"{path}: written by a newer vidalign ({loaded['schema']})")
        return {role: Pin(**values) for role, values in loaded["files"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path}: not a record of verified files: {error}", hint="remove it, then add the model again"
        ) from None


def write_pin(name: str, role: str, pin: Pin) -> None:
    """Record that a file was verified; the other roles' records stay."""
    pins: Mapping[str, Pin] = {**read_pins(name), role: pin}
    record: dict[str, Any] = {
        "schema": PINS_SCHEMA,
        "files": {key: asdict(value) for key, value in sorted(pins.items())},
    }
    with replacing(model_dir(name) / "pins.json") as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


@contextmanager
def replacing(final: Path, *, setting: str = "VIDALIGN_CACHE") -> Iterator[Path]:
    """A temporary file beside `final` that takes its place on success and vanishes on failure.

    Raises ModelError when the folder cannot be written; `setting` is the variable that moves the folder.
    """
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.with_name(f".{final.name}.{secrets.token_hex(4)}")
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise ModelError(
            f"{final.parent}: cannot be written: {error.strerror or error}",
            hint=f"set {setting} to a folder of your own",
        ) from None
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(final)
    finally:
        temporary.unlink(missing_ok=True)

"""Stored files hashed again and compared with what was verified when they came."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vidalign.weights.cache import hash_file, lies_beside, owner, read_pins, stored_path
from vidalign.weights.cards import ModelCard

Verdict = Literal["ok", "changed", "unknown"]


@dataclass(frozen=True, slots=True)
class Verified:
    """One stored file: its hash now and the one on record (None: nobody recorded one, verdict unknown)."""

    card: str
    role: str
    path: Path
    sha256: str
    expected: str | None
    verdict: Verdict


def verify_model(card: ModelCard) -> tuple[Verified, ...]:
    """Hash every file of the card that is on this machine."""
    return tuple(
        _verified(card, entry.role) for entry in card.files if stored_path(card, entry.role).is_file()
    )


def _verified(card: ModelCard, role: str) -> Verified:
    held, entry = owner(card, role)
    path = stored_path(card, role)
    beside = lies_beside(held, entry)
    pin = None if beside else read_pins(held.name).get(role)
    expected = entry.sha256 if beside else pin.sha256 if pin else None
    sha256 = hash_file(path)
    verdict: Verdict = "unknown" if expected is None else "ok" if sha256 == expected else "changed"
    return Verified(held.name, role, path, sha256, expected, verdict)

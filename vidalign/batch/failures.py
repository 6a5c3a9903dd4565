"""NAME.error.json: what failed and why, so that the next run need not try it again in vain."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidalign._version import __version__
from vidalign.errors import LowConfidenceError, StoreError, VidalignError
from vidalign.store.records import read_record, write_record

SCHEMA = "vidalign.error/1"
WAITING_HELPS = frozenset(
    getattr(errno, name)
    for name in (
        *(
            "EAGAIN",
            "EBUSY",
            "ECONNABORTED",
            "ECONNREFUSED",
            "ECONNRESET",
            "EHOSTDOWN",
            "EHOSTUNREACH",
            "EINTR",
        ),
        *("EIO", "EMFILE", "ENETDOWN", "ENETUNREACH", "ENFILE", "ENOMEM", "EREMOTEIO", "ESTALE", "ETIMEDOUT"),
    )
    if hasattr(errno, name)
)
"""What a disk or a network says that may be well in a moment."""

State = tuple[int, int] | None
"""Size in bytes and time of the last change in nanoseconds of an input, None where there is none."""


class FormerFailureError(VidalignError):
    """What an earlier run recorded of an item that is not tried again."""

    def __init__(self, message: str, *, kind: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self._kind = kind

    @property
    def kind(self) -> str:
        """The class of the error as it was."""
        return self._kind


@dataclass(frozen=True, slots=True)
class Failure:
    """One item's record; `attempt` counts runs, `inputs` are the states of what it was to be made from."""

    item: str
    source: str
    kind: str
    message: str
    hint: str
    reader: str | None
    attempt: int
    permanent: bool
    inputs: tuple[State, ...]

    def stands(self, states: Sequence[State]) -> bool:
        """Whether trying again is in vain: the error was permanent and nothing has changed since."""
        return self.permanent and self.inputs == tuple(states)

    def as_error(self, path: Path) -> FormerFailureError:
        """The error, as this run reports it."""
        hint = f"recorded in {path}; --retry-failed tries it again"
        return FormerFailureError(
            self.message, kind=self.kind, hint=f"{self.hint}; {hint}" if self.hint else hint
        )

    def as_json(self) -> dict[str, Any]:
        """The record; the first input is the source."""
        return {
            "schema": SCHEMA,
            "item": self.item,
            "source": self.source,
            "error": self.kind,
            "message": self.message,
            "hint": self.hint,
            "reader": self.reader,
            "attempt": self.attempt,
            "permanent": self.permanent,
            "source_size": self.inputs[0][0] if self.inputs and self.inputs[0] else None,
            "inputs": self.inputs,
            "vidalign_version": __version__,
        }


def state_of(path: Path) -> State:
    """The state of an input, None where it cannot be looked at."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns


def read_failure(path: Path) -> Failure | None:
    """The record at `path`, None where there is none that can be read."""
    try:
        found = read_record(path, SCHEMA)
        if found is None:
            return None
        return Failure(
            item=str(found["item"]),
            source=str(found["source"]),
            kind=str(found["error"]),
            message=str(found["message"]),
            hint=str(found["hint"]),
            reader=None if found["reader"] is None else str(found["reader"]),
            attempt=int(found["attempt"]),
            permanent=found["permanent"] is True,
            inputs=tuple(
                None if state is None else (int(state[0]), int(state[1])) for state in found["inputs"]
            ),
        )
    except (StoreError, KeyError, TypeError, ValueError, OverflowError, IndexError):
        return None


def record_failure(
    path: Path,
    item: str,
    source: str,
    states: Sequence[State],
    error: VidalignError,
    reader: str,
) -> None:
    """Write what an item failed with, in place of the record before; where that is refused nothing is kept.

    A confidence below the one asked for is no failure to record: the next run may ask for less.
    """
    if isinstance(error, LowConfidenceError):
        return
    before = read_failure(path)
    attempt = 1 + (before.attempt if before is not None else 0)
    failure = Failure(
        item,
        source,
        error.kind,
        error.message,
        error.hint,
        error.reader or reader,
        attempt,
        error.errno is None and attempt >= error.tries,
        tuple(states),
    )
    with contextlib.suppress(StoreError):
        write_record(path, failure.as_json())


def forget_failure(path: Path) -> None:
    """Remove a record."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)

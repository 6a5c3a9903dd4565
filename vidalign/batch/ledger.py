"""What a run knows of one output folder, and what it writes there beside the outputs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from vidalign.batch.failures import (
    FormerFailureError,
    State,
    forget_failure,
    read_failure,
    record_failure,
)
from vidalign.batch.files import HERE, Files
from vidalign.batch.locks import RunLocks
from vidalign.batch.runfile import Wanted, check_run, find_run, open_run, recorded_threads
from vidalign.errors import VidalignError
from vidalign.store.atomic import remove_leftovers
from vidalign.store.records import failure_path


class Entry(NamedTuple):
    """One output of a folder and the files it is made from, the video (or what stands for it) first.

    `files` knows where they are.
    """

    name: str
    output: Path
    inputs: tuple[Path, ...]
    files: Files = HERE

    def states(self) -> tuple[State, ...]:
        """What the inputs are like now."""
        return tuple(map(self.files.state, self.inputs))


class Ledger:
    """One run's side of one folder: who has which item, and what failed. `reader` reads the videos."""

    def __init__(
        self, wanted: Wanted, reader: str, *, overwrite: bool = False, retry_failed: bool = False
    ) -> None:
        self.wanted = wanted
        self._reader = reader
        self._overwrite = overwrite
        self._believes_records = not (overwrite or retry_failed)
        self._locks: RunLocks | None = None
        self._states: dict[str, tuple[State, ...]] = {}
        self._refused: set[str] = set()

    def former_failure(self, entry: Entry) -> FormerFailureError | None:
        """What an earlier run recorded of an item that it would be in vain to try again."""
        if not self._believes_records:
            return None
        path = failure_path(entry.output)
        failure = read_failure(path)
        return failure.as_error(path) if failure is not None and failure.stands(entry.states()) else None

    def check(self) -> None:
        """Raise OutputMismatchError where the folder is filled in another way."""
        check_run(self.wanted)

    @property
    def is_new(self) -> bool:
        """Whether no run has been noted in the folder."""
        return find_run(self.wanted.folder, self.wanted.task)[1] is None

    def open(self) -> None:
        """Join the folder's run; raises as `open_run` does."""
        self._locks = open_run(self.wanted, overwrite=self._overwrite)

    @property
    def threads(self) -> int | None:
        """What all deterministic processes of the run compute with; None where this is none."""
        wanted = self.wanted
        if wanted.threads is None:
            return None
        return recorded_threads(wanted.folder, wanted.task) or wanted.threads

    def take(self, entry: Entry) -> bool:
        """Take an item for this process; False while another one, or thread, is at work on it."""
        assert self._locks is not None
        key = self._key(entry)
        if not self._locks.take(key):
            self._refused.add(key)
            return False
        self._states[key] = entry.states()
        return True

    def may_have_ended(self, entry: Entry) -> bool:
        """Whether another process may have ended the item meanwhile; what is to be made again has not,
        unless it was that process's when this one came.
        """
        return not self._overwrite or self._key(entry) in self._refused

    def settle(self, entry: Entry, error: VidalignError | None) -> None:
        """Record how the work on an item ended, and give it back."""
        if error is None:
            forget_failure(failure_path(entry.output))
        else:
            self._record(entry, self._states[self._key(entry)], error)
        self.give_back(entry)

    def note(self, entry: Entry, error: VidalignError) -> None:
        """Record why the work on an item, which nobody takes, cannot begin; an output that is there stays."""
        if not os.path.lexists(entry.output):
            self._record(entry, entry.states(), error)

    def give_back(self, entry: Entry) -> None:
        """Leave an item as it is."""
        assert self._locks is not None
        self._states.pop(self._key(entry), None)
        self._locks.give_back(self._key(entry))

    def close(self) -> None:
        """Give all items back."""
        if self._locks is not None:
            self._locks.close()
            self._locks = None

    def _record(self, entry: Entry, states: tuple[State, ...], error: VidalignError) -> None:
        error.message = entry.files.told(error.message, entry.inputs)
        source = entry.files.told(str(entry.inputs[0]), entry.inputs[:1])
        record_failure(failure_path(entry.output), entry.name, source, states, error, self._reader)

    def _key(self, entry: Entry) -> str:
        return entry.output.relative_to(self.wanted.folder).as_posix()


class NoLedger(Ledger):
    """For outputs that are no folder's: nothing is recorded, and nobody else is there."""

    def __init__(self) -> None:
        super().__init__(Wanted(Path(), "align", dict), "")

    def former_failure(self, entry: Entry) -> None:
        """Nothing."""

    @property
    def is_new(self) -> bool:
        """There is none to note."""
        return False

    def check(self) -> None:
        """Nothing."""

    def open(self) -> None:
        """Nothing."""

    def take(self, entry: Entry) -> bool:
        """Every item is free."""
        return True

    def may_have_ended(self, entry: Entry) -> bool:
        """None has."""
        return False

    def settle(self, entry: Entry, error: VidalignError | None) -> None:
        """Nothing."""

    def note(self, entry: Entry, error: VidalignError) -> None:
        """Nothing."""

    def give_back(self, entry: Entry) -> None:
        """Nothing."""


def clear_leftovers(outputs: Iterable[Path]) -> None:
    """Clear the folders of outputs of what killed processes left half-written."""
    for folder in dict.fromkeys(output.parent for output in outputs):
        remove_leftovers(folder)

"""run.json: how all outputs of one folder are made, written once by whoever comes first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from vidalign._version import __version__
from vidalign.batch.extraction import Runtime
from vidalign.batch.locks import RunLocks
from vidalign.batch.outputs import WAY_OUT
from vidalign.batch.shards import Dealing
from vidalign.errors import OutputMismatchError, StoreError, UsageError
from vidalign.store.atomic import cannot_write
from vidalign.store.records import RUN, create_record, parse_record, read_record, run_of, write_record

Task = Literal["extract", "align"]
First = Callable[[], tuple[Path, Mapping[str, Any]] | None]
SCHEMA = "vidalign.run/1"
PATIENCE_SECONDS = 10.0
"""How long to wait for others at work in a folder whose run file must change."""
SHARED = ("shards", "threads")
"""What a run file says of how its processes work together, which a later one may add."""
_NOT_SETTINGS = ("schema", "task", *SHARED, "vidalign_version")


@dataclass(frozen=True)
class Wanted:
    """How a run makes the outputs of `folder`; `first` gives an output that is there with its settings.

    `threads` compute, None: that may differ from process to process.
    """

    folder: Path
    task: Task
    how: Callable[[], Mapping[str, Any]]
    dealing: Dealing | None = None
    first: First = lambda: None
    threads: int | None = None

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """What decides how outputs come out."""
        return self.how()

    @property
    def shared(self) -> dict[str, Any]:
        """What is known of SHARED."""
        dealt = None if self.dealing is None else self.dealing.as_json()
        known = {"shards": dealt, "threads": self.threads}
        return {key: value for key, value in known.items() if value is not None}

    def document(self, found: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The run file that says so, in place of one that is `found`."""
        head = {"schema": SCHEMA, "task": self.task}
        there = {key: found[key] for key in SHARED if key in found} if found else {}
        shared = {"shards": None, **there, **self.shared}
        return {**head, **self.settings, **shared, "vidalign_version": __version__}


def find_run(folder: Path, task: Task) -> tuple[Path, dict[str, Any] | None]:
    """Where the run file of a task lies or would lie, and what it says.

    Both tasks may fill one folder: who comes second writes run-TASK.json. Raises OutputMismatchError where
    another program's file is in the way.
    """
    own = folder / run_of(task)
    try:
        found = read_record(folder / RUN, SCHEMA)
        if found is None and not own.exists():
            return folder / RUN, None
        if found is not None and found.get("task") == task:
            return folder / RUN, found
        return own, read_record(own, SCHEMA)
    except StoreError as error:
        raise OutputMismatchError(error.message, hint="remove it, or choose another folder") from None


def recorded_dealing(folder: Path, task: Task) -> Dealing | None:
    """How the items of a folder were dealt out, None where they were not."""
    shards = (find_run(folder, task)[1] or {}).get("shards")
    return None if shards is None else Dealing.from_json(shards)


def recorded_threads(folder: Path, task: Task) -> int | None:
    """The threads that deterministic processes of a folder's run compute with, None where there was none."""
    threads = (find_run(folder, task)[1] or {}).get("threads")
    return threads if type(threads) is int and threads > 0 else None


def recorded_runtime(folder: Path, task: Task, first: First) -> Runtime | None:
    """What computed the features in a folder, None where nothing says."""
    found = find_run(folder, task)[1]
    if found is None:
        output = first()
        found = {} if output is None else dict(output[1])
    runtime = found.get("runtime")
    return runtime if runtime in ("torch", "openvino") else None


def check_run(wanted: Wanted) -> None:
    """Raise OutputMismatchError, saying the differences, where the folder is filled in another way."""
    path, found = find_run(wanted.folder, wanted.task)
    first = wanted.first() if found is None else None
    if first is not None:
        path, settings = first
        found = {**settings}
    if found is not None:
        _refuse(path, list(differences(found, wanted.settings)))
        _check_dealing(path, found, wanted)


def open_run(wanted: Wanted, *, overwrite: bool = False) -> RunLocks:
    """Join the run of a folder, beginning it where there is none; the locks are this process's until closed.

    Raises OutputMismatchError as `check_run` does, unless `overwrite`, then the run file is replaced;
    StoreError where the folder cannot be written; UsageError where others are at work on it otherwise.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        if not overwrite:
            check_run(wanted)
        path, found = find_run(wanted.folder, wanted.task)
        if found is None:
            create_record(path, wanted.document())
        locks = _joined(path, wanted, overwrite)
        if locks is not None:
            return locks
        if time.monotonic() > until:
            raise UsageError(
                f"another process is at work in {wanted.folder}, and {path.name} would have to change",
                hint="wait for its end, or choose another folder",
            )
        time.sleep(0.1)


def _joined(path: Path, wanted: Wanted, overwrite: bool) -> RunLocks | None:
    """The locks, where the run file says what is wanted; else None, and it may have been rewritten.

    The threads are added only where nobody is at work: others compute with theirs already.
    """
    try:
        locks = RunLocks(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_write(path, error) from error
    with ExitStack() as stack:
        stack.callback(locks.close)
        found = parse_record(locks.read(), path, SCHEMA)
        if found.get("task") != wanted.task or not locks.join() or not locks.is_current():
            return None
        differs = any(differences(found, wanted.settings))
        missing = {key: value for key, value in wanted.shared.items() if found.get(key) is None}
        if missing or differs:
            if (overwrite or not differs) and locks.join(alone=True):
                write_record(path, wanted.document(found) if differs else {**found, **missing})
                return None
            if differs or "shards" in missing:
                return None
        stack.pop_all()
        return locks


def differences(there: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Settings that both say, and say differently; a recipe's name is none."""
    for key in sorted((now.keys() & there.keys()) - {*_NOT_SETTINGS, "name"}):
        if isinstance(there[key], Mapping) and isinstance(now[key], Mapping):
            yield from (f"{key} {line}" for line in differences(there[key], now[key]))
        elif there[key] != now[key]:
            yield f"{key}: {_told(there[key])} / {_told(now[key])}"


def _told(value: object) -> object:
    return "none" if value is None else value


def _refuse(path: Path, differences: list[str]) -> None:
    if differences:
        raise OutputMismatchError(
            f"{path} says otherwise (there / now: {'; '.join(differences)})", hint=WAY_OUT
        )


def _check_dealing(path: Path, found: Mapping[str, Any], wanted: Wanted) -> None:
    if found.get("shards") is None or wanted.dealing is None:
        return
    there = Dealing.from_json(found["shards"])
    if there != wanted.dealing:
        raise OutputMismatchError(
            f"{path}: its items are dealt into {there.total} shards, not {wanted.dealing.total}",
            hint=f"use --shard I/{there.total}, or remove {path.name}",
        )

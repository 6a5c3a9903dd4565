"""What of a list of videos is done in an output folder, and what is not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidalign.batch import told
from vidalign.batch.failures import Failure, read_failure
from vidalign.batch.finished import size_of
from vidalign.batch.outputs import STALE_WAY_OUT
from vidalign.batch.runfile import SCHEMA, Task, differences, find_run
from vidalign.batch.shards import Dealing
from vidalign.errors import StoreError
from vidalign.store.items import Item
from vidalign.store.records import FAILURE, RUN, RUNS, failure_path, is_record, read_record, run_of

SUFFIXES: dict[Task, str] = {"extract": ".h5", "align": told.ALIGNMENT}
MANY = 20
"""Names written in one line."""


@dataclass
class Status:
    """The items of one folder by what became of them; `stale` ones with the reason.

    `partial` counts those done whose videos break off; `dealing` is how the first sharded run dealt; `listed`
    says that the items are those of a list, so that their names are known.
    """

    folder: Path
    task: Task
    dealing: Dealing | None
    listed: bool = True
    done: int = 0
    partial: int = 0
    failed: list[Failure] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    stale: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do or to mend."""
        return not (self.failed or self.missing or self.stale)

    @property
    def again(self) -> list[int]:
        """The array tasks, or shards, that have what the next run makes: not what failed for good, not what
        is stale, and of what is not `listed` only what failed.
        """
        if self.dealing is None:
            return []
        failed = (failure.item for failure in self.failed if not failure.permanent)
        return self.dealing.tasks([*failed, *(self.missing if self.listed else ())])

    def as_json(self) -> dict[str, Any]:
        """One object with every name that is not done."""
        kinds = ("item", "error", "message", "attempt", "permanent")
        return {
            "folder": str(self.folder),
            "task": self.task,
            "items": self.done + len(self.failed) + len(self.missing) + len(self.stale),
            "done": self.done,
            "partial": self.partial,
            "failed": [{key: failure.as_json()[key] for key in kinds} for failure in self.failed],
            "missing": self.missing,
            "stale": [{"item": name, "why": why} for name, why in self.stale],
            "shards": None if self.dealing is None else {"total": self.dealing.total, "again": self.again},
        }

    def lines(self) -> Iterator[str]:
        """The counts, and what to do about the rest."""
        total = self.as_json()["items"]
        passing = sum(not failure.permanent for failure in self.failed)
        broken = f" ({self.partial} of videos that break off)" if self.partial else ""
        yield (
            f"{self.folder}: {total} items: {self.done} done{broken}, {len(self.failed)} failed, "
            f"{len(self.missing)} missing, {len(self.stale)} stale"
        )
        if self.failed:
            yield f"the next run tries {passing} of those that failed; --retry-failed tries all of them"
        for name, why in self.stale[:MANY]:
            yield f"stale: {name}: {why}; {STALE_WAY_OUT}"
        if self.again and self.dealing is not None:
            tasks = ",".join(map(str, self.again))
            yield f"shards to run again, of {self.dealing.total}: {tasks} (sbatch --array={tasks})"
        if self.dealing is not None and not self.listed:
            yield "name the videos to learn all shards to run again"


def run_folders(folder: Path) -> list[tuple[Path, Task]]:
    """The folders that batches fill: this one, or those of several backbones in it, with what fills them."""
    inside = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    found = [(place, task) for place in (folder, *inside) for task in _tasks(place)]
    own = [(place, task) for place, task in found if place == folder]
    return own or found or [(folder, "extract")]


def _tasks(folder: Path) -> Iterator[Task]:
    for name in RUNS:
        try:
            found = read_record(folder / name, SCHEMA)
        except StoreError:
            continue
        task = None if found is None else found.get("task")
        if task in SUFFIXES and name in (RUN, run_of(task)):
            yield task


def look(folder: Path, task: Task, items: Sequence[Item] | None) -> Status:
    """The status of `items`, or, where there is no list of them, of what lies in the folder."""
    settings = find_run(folder, task)[1] or {}
    shards = settings.get("shards")
    status = Status(folder, task, None if shards is None else Dealing.from_json(shards), items is not None)
    for item in _present(folder, task) if items is None else items:
        _look_at(item, status, settings)
    return status


def _look_at(item: Item, status: Status, settings: Mapping[str, Any]) -> None:
    if not os.path.lexists(item.output):
        failure = read_failure(failure_path(item.output))
        if failure is None:
            status.missing.append(item.name)
        else:
            status.failed.append(failure)
        return
    tell: Callable[[Path], Mapping[str, Any]] = (
        told.of_features if status.task == "extract" else told.of_alignment
    )
    try:
        found = tell(item.output)
        why = next(_doubts(item, found, settings), None)
    except StoreError as error:
        status.stale.append((item.name, error.message))
        return
    if why is not None:
        status.stale.append((item.name, why))
        return
    status.done += 1
    status.partial += bool(found["truncated"])


def _doubts(item: Item, found: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[str]:
    """Why an output must be made again."""
    size, now = found["video_size"], size_of(item.source)
    if None not in (size, now) and size != now:
        yield f"its video has changed: {size} bytes then, {now} now"
    known = {key: value for key, value in found.items() if value is not None or key == "gvf"}
    yield from (f"made otherwise than {line}" for line in differences(settings, known))


def _present(folder: Path, task: Task) -> Iterable[Item]:
    """What lies in a folder, as items whose videos are not known."""
    suffix = SUFFIXES[task]
    found: dict[Path, Item] = {}
    for path in sorted(folder.rglob("*")):
        output = path
        if is_record(path.name) and path.name.endswith(FAILURE):
            output = path.with_name(path.name.removesuffix(FAILURE) + ".h5")
        aligned = output.name.endswith(told.ALIGNMENT)
        if output.name.endswith(suffix) and aligned == (task == "align") and not path.name.startswith("."):
            name = output.relative_to(folder).as_posix().removesuffix(suffix)
            found.setdefault(output, Item(folder / name, name, output))
    return found.values()

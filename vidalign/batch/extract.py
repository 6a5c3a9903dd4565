"""Videos -> features files; a bad file never stops the rest, and nothing is done twice."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from vidalign.batch import told
from vidalign.batch.aligning import break_off_warning
from vidalign.batch.boundary import attempt
from vidalign.batch.encoding import Progress
from vidalign.batch.extraction import Extraction
from vidalign.batch.files import HERE, Files
from vidalign.batch.finished import finished
from vidalign.batch.ledger import Entry, Ledger, clear_leftovers
from vidalign.batch.outputs import check_writable
from vidalign.batch.pipeline import Made, Many, Settings, Work, extract_many
from vidalign.batch.report import ItemResult
from vidalign.batch.rounds import Rounds, check_room, patiently, pause_after
from vidalign.batch.runfile import Wanted, recorded_runtime, recorded_threads
from vidalign.batch.shards import Dealing
from vidalign.batch.steady import usual_threads
from vidalign.errors import VidalignError
from vidalign.store.items import Item
from vidalign.store.records import RUN
from vidalign.types import Features

Begin = Callable[[Item], Progress]
"""Called when work on an item begins."""


class Planned(NamedTuple):
    """What one backbone does; all items go into one folder."""

    extraction: Extraction
    items: Sequence[Item]


class _Task(NamedTuple):
    """One output of one video."""

    extraction: Extraction
    item: Item
    ledger: Ledger
    is_elsewhere: bool = False
    files: Files = HERE

    @property
    def entry(self) -> Entry:
        """As the ledger knows it."""
        return Entry(self.item.name, self.item.output, (self.item.source,), self.files)


def extract_items(
    plan: Sequence[Planned],
    *,
    overwrite: bool = False,
    retry_failed: bool = False,
    dry_run: bool = False,
    dealing: Dealing | None = None,
    tidy: bool = True,
    settings: Settings | None = None,
    many: Many | None = None,
    elsewhere: Container[Path] = frozenset(),
    files: Files = HERE,
    joined: Callable[[], None] = lambda: None,
    progress: Begin | None = None,
) -> Generator[ItemResult, None, None]:
    """Check everything now; then, as the results are asked for, extract.

    All plans are for the same videos in the same order; each video is decoded once for those backbones whose
    output is not finished, and what fails for one backbone is still made for the others. What needs no work
    comes first, then each result as soon as its file is on disk, or its failure recorded beside it. Items
    that another process has are waited for. `retry_failed` tries what a record says is hopeless, `dealing`
    goes into the run file, `tidy` clears the folders of what killed processes left. `many` takes the videos
    through a pipeline that is there already, made by `settings`. `joined` is called once the run files are
    written. Outputs `elsewhere` are finished;
    `files` opens the sources. Two calls for one folder, in two processes or threads, do
    no item twice.

    Raises UsageError or one of its kind, at the call, where a model is missing or outputs came from other
    settings (`overwrite` redoes them); StoreError where a folder cannot be written.
    """
    steady = settings is not None and settings.deterministic
    plan = [planned._replace(extraction=_as_recorded(planned, steady=steady)) for planned in plan]
    for extraction, _ in plan:
        extraction.check()
    ledgers = [_ledger(planned, dealing, overwrite, retry_failed) for planned in plan]
    rows = [_tasks(planned, ledger, elsewhere, files) for planned, ledger in zip(plan, ledgers, strict=True)]
    groups: list[list[_Task]] = []
    ends: list[ItemResult] = []
    for together in zip(*rows, strict=True):
        looked = [(task, None if overwrite else _end_before_work(task)) for task in together]
        groups.append([task for task, end in looked if end is None])
        ends += [end for _, end in looked if end is not None]
    due = [task for group in groups for task in group]
    working = {task.ledger: task.extraction for task in due}
    for ledger in () if overwrite else dict.fromkeys(task.ledger for row in rows for task in row):
        ledger.check()
    if dry_run:
        return (end for end in [*ends, *map(_planned, due)])
    if tidy:
        clear_leftovers(written_by(plan))
    check_writable(task.item.output for task in due)
    _open(working)
    joined()
    followed = {ledger: _following(extraction, ledger) for ledger, extraction in working.items()}
    groups = [
        [task._replace(extraction=followed[task.ledger]) for task in group] for group in groups if group
    ]
    many = many or partial(extract_many, settings=settings or Settings())
    return _Batch(list(working), many, progress).results(ends, groups)


def written_by(plan: Sequence[Planned]) -> Iterator[Path]:
    """All outputs, and a file where the run files go."""
    for item in (item for planned in plan for item in planned.items):
        yield from (item.folder / RUN, item.output)


def _tasks(planned: Planned, ledger: Ledger, elsewhere: Container[Path], files: Files) -> list[_Task]:
    return [
        _Task(planned.extraction, item, ledger, item.output in elsewhere, files) for item in planned.items
    ]


def _as_recorded(planned: Planned, *, steady: bool) -> Extraction:
    """The extraction; where it leaves the runtime open, that which made what is in the folder.

    `steady`: with the threads that all such runs of the folder compute with.
    """
    extraction, items = planned
    if not items:
        return extraction
    if steady:
        threads = recorded_threads(items[0].folder, "extract") or usual_threads()
        extraction = replace(extraction, threads=threads)
    if extraction.runtime != "auto":
        return extraction
    first = told.first_features([item.output for item in items])
    family = recorded_runtime(items[0].folder, "extract", first)
    return extraction if family is None else replace(extraction, runtime=family)


def _open(working: Mapping[Ledger, Extraction]) -> None:
    """Join the runs of all folders."""
    for ledger, extraction in working.items():
        if ledger.is_new:
            _ = extraction.model  # a wrong one must not be noted
        ledger.open()


def _following(extraction: Extraction, ledger: Ledger) -> Extraction:
    """The extraction with the threads that the run file says, should another process have come first."""
    threads = ledger.threads
    return extraction if threads == extraction.threads else replace(extraction, threads=threads)


def _ledger(planned: Planned, dealing: Dealing | None, overwrite: bool, retry_failed: bool) -> Ledger:
    extraction, items = planned
    folder = items[0].folder if items else Path()
    first = told.first_features([item.output for item in items])
    wanted = Wanted(
        folder, "extract", partial(told.of_extraction, extraction), dealing, first, extraction.threads
    )
    return Ledger(wanted, extraction.reader, overwrite=overwrite, retry_failed=retry_failed)


def _end_before_work(task: _Task) -> ItemResult | None:
    """The result of an item that needs no work, has failed already, or had failed for good."""
    item = task.item
    if task.is_elsewhere:
        return ItemResult(item.name, "skipped", str(item.source), str(item.output))
    found = attempt(lambda: finished(item, task.extraction), item.source)
    failed = found if isinstance(found, VidalignError) else None
    if found is None:
        failed = task.ledger.former_failure(task.entry)
    if failed is not None:
        return ItemResult(item.name, "failed", str(item.source), error=failed)
    if found is None or isinstance(found, VidalignError):
        return None
    return ItemResult(
        item.name, "skipped", str(item.source), str(item.output), truncated=bool(found["truncated"])
    )


def _planned(task: _Task) -> ItemResult:
    return ItemResult(task.item.name, "planned", str(task.item.source), str(task.item.output))


class _Batch:
    """The work itself; `ledgers` are those of all folders."""

    def __init__(self, ledgers: Sequence[Ledger], many: Many, begin: Begin | None) -> None:
        self._ledgers, self._many, self._begin = ledgers, many, begin
        self._meters: dict[int, Progress] = {}
        self._under_way: dict[int, list[_Task]] = {}
        self._ends: deque[ItemResult] = deque()
        self._failures: Counter[Path] = Counter()
        self._rounds: Rounds[list[_Task]] = Rounds(())

    def results(
        self, ends: Sequence[ItemResult], groups: Sequence[list[_Task]]
    ) -> Generator[ItemResult, None, None]:
        """`ends`, then what becomes of the tasks of each video, as it comes; the ledgers are closed then."""
        with ExitStack() as stack:
            for ledger in self._ledgers:
                stack.callback(ledger.close)
            yield from ends
            self._rounds = Rounds(groups)
            for ready in self._rounds:
                with closing(self._many(self._works(ready), progress=self._tell)) as many:
                    for made in many:
                        yield from self._decided()
                        yield from self._settled(made)
                yield from self._decided()

    def _works(self, groups: Iterable[list[_Task]]) -> Iterator[Work]:
        """What is still to do, each taken just before its video is read."""
        for group in groups:
            tasks = [task for task in group if self._take(task)]
            if not tasks:
                continue
            source = tasks[0].item.source
            if any(task.item.source != source for task in tasks):
                raise ValueError("plans that go together are for the same videos")
            key = id(tasks)
            self._under_way[key] = tasks
            if self._begin is not None:
                self._meters[key] = self._begin(tasks[0].item)
            opened = partial(tasks[0].files.opened, source)
            yield Work(key, source, [task.extraction for task in tasks], opened)

    def _take(self, task: _Task) -> bool:
        """Take a task, unless another process has it, or has ended it."""
        if not task.ledger.take(task.entry):
            self._rounds.others_have([task])
            return False
        end = _end_before_work(task) if task.ledger.may_have_ended(task.entry) else None
        if end is not None:
            task.ledger.give_back(task.entry)
            self._ends.append(end)
        return end is None

    def _decided(self) -> Iterator[ItemResult]:
        """The ends that were found on the way."""
        while self._ends:
            yield self._ends.popleft()

    def _settled(self, made: Made) -> Iterator[ItemResult]:
        """What became of the tasks of a video; those worth another try are put off."""
        self._meters.pop(made.key, None)
        for task, result in zip(self._under_way.pop(made.key), made.results, strict=True):
            output = task.item.output
            self._failures[output] += isinstance(result, VidalignError)
            pause = pause_after(result, self._failures[output])
            if pause is not None:
                task.ledger.give_back(task.entry)
                self._rounds.put_off([task], pause)
                continue
            del self._failures[output]
            end = _written(task.item, result, made.seconds)
            task.ledger.settle(task.entry, end.error)
            yield end
            check_room(end.error)

    def _tell(self, key: int, done: float, length: float | None) -> None:
        meter = self._meters.get(key)
        if meter is not None:
            meter(done, length)


def _written(item: Item, made: Features | VidalignError, seconds: float) -> ItemResult:
    """Write the features, if there are any; the result."""
    from vidalign.store.features import write_features

    failed = made if isinstance(made, VidalignError) else None
    if isinstance(made, Features):
        failed = patiently(lambda: attempt(partial(write_features, item.output, made), item.source))
    if isinstance(made, VidalignError) or failed is not None:
        return ItemResult(item.name, "failed", str(item.source), error=failed)
    broken = bool(made.truncated)
    return ItemResult(
        item.name,
        "partial" if broken else "done",
        str(item.source),
        str(item.output),
        warnings=(break_off_warning(item.source, made.decoded_until),) if broken else (),
        truncated=broken,
        details={
            "clips": len(made.features),
            "width": int(made.features.shape[1]),
            "duration": made.duration,
            "reader": made.reader,
            "seconds": round(seconds, 3),
        },
    )

"""What the workers of an engine are told: a kind of work, and nothing of where it is done."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, Self, TypeVar

from vidalign.batch.align import Ended, align_pairs, entry_of
from vidalign.batch.extract import Planned, extract_items
from vidalign.batch.extraction import Extraction
from vidalign.batch.failures import record_failure
from vidalign.batch.foreign import looking_first
from vidalign.batch.ledger import Entry
from vidalign.batch.pairs import Unpaired
from vidalign.batch.pipeline import Many, Settings
from vidalign.batch.report import ItemResult
from vidalign.batch.settings import AlignRun, Pair
from vidalign.batch.shards import Dealing
from vidalign.errors import ChildDiedError, VidalignError
from vidalign.store.items import Item
from vidalign.store.records import failure_path

Task = TypeVar("Task")

Videos = Sequence[Item]
"""The outputs of one video, one a plan."""


def _variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("VIDALIGN_")}


@dataclass(frozen=True)
class Terms:
    """How every task is done, as `extract_items` says, and the folder and variables that it is done in."""

    overwrite: bool = False
    retry_failed: bool = False
    dry_run: bool = False
    dealing: Dealing | None = None
    settings: Settings = field(default_factory=Settings)
    folder: Path = field(default_factory=Path.cwd)
    environment: Mapping[str, str] = field(default_factory=_variables)


@dataclass(frozen=True)
class Orders(ABC, Generic[Task]):
    """What every worker is told once; it holds nothing that is loaded before work begins."""

    terms: Terms

    @property
    @abstractmethod
    def device(self) -> str:
        """What the networks run on, as it was asked for."""

    @property
    @abstractmethod
    def reader(self) -> str:
        """What reads the videos, as it was asked for."""

    @abstractmethod
    def check(self) -> None:
        """Raise what this machine lacks for the work, a VidalignError."""

    def around(self) -> AbstractContextManager[None]:
        """Holds as long as a worker lives."""
        return nullcontext()

    @abstractmethod
    def entries(self, task: Task) -> list[Entry]:
        """The outputs of a task; the first of their inputs is the same."""

    @abstractmethod
    def ends(self, task: Task, many: Many) -> Iterator[Ended]:
        """Does a task: what becomes of each output, once it is on disk."""

    @abstractmethod
    def seconds(self, end: Ended) -> float | None:
        """How long the video is that was gone through, None where none was."""

    def on_cores(self, cores: int) -> Self:
        """The same for workers that have so many cores."""
        settings = replace(self.terms.settings, cores=cores)
        return replace(self, terms=replace(self.terms, settings=settings))

    def given_up(self, task: Task, reason: str) -> list[Ended]:
        """The failure of a task that its workers died of, recorded beside its outputs."""
        entries = self.entries(task)
        source = entries[0].inputs[0]
        error = ChildDiedError(f"{source}: one worker after the other died of it, the last so: {reason}")
        for entry in () if self.terms.dry_run else entries:
            record_failure(
                failure_path(entry.output), entry.name, str(source), entry.states(), error, self.reader
            )
        return failed(entries, error)


def failed(entries: Sequence[Entry], error: VidalignError) -> list[Ended]:
    """The same failure for every output of a task."""
    return [(ItemResult(entry.name, "failed", str(entry.inputs[0]), error=error), None) for entry in entries]


@dataclass(frozen=True)
class ExtractOrders(Orders[Videos]):
    """Videos become features files, one for each extraction."""

    extractions: tuple[Extraction, ...]

    @property
    def device(self) -> str:
        """See `Orders.device`."""
        return self.extractions[0].device

    @property
    def reader(self) -> str:
        """See `Orders.reader`."""
        return self.extractions[0].reader

    def check(self) -> None:
        """See `Orders.check`."""
        for extraction in self.extractions:
            extraction.check()

    def entries(self, task: Videos) -> list[Entry]:
        """See `Orders.entries`."""
        return [Entry(item.name, item.output, (item.source,)) for item in task]

    def ends(self, task: Videos, many: Many) -> Iterator[Ended]:
        """See `Orders.ends`."""
        terms = self.terms
        results = extract_items(
            [Planned(extraction, [item]) for extraction, item in zip(self.extractions, task, strict=True)],
            overwrite=terms.overwrite,
            retry_failed=terms.retry_failed,
            dry_run=terms.dry_run,
            dealing=terms.dealing,
            tidy=False,
            settings=terms.settings,
            many=many,
        )
        for result in results:
            yield result, None

    def seconds(self, end: Ended) -> float | None:
        """See `Orders.seconds`."""
        return end[0].details.get("duration")


@dataclass(frozen=True)
class AlignOrders(Orders[Pair | Unpaired]):
    """Pairs become alignments in one folder, and videos without subtitles records.

    Pairs know where their features are kept; `words` says whether some come without sentence features, and
    `extracts` whether some come without features. Answers leave the similarity matrix on disk.
    """

    run: AlignRun
    folder: Path | None
    words: bool
    extracts: bool

    @property
    def device(self) -> str:
        """See `Orders.device`."""
        return self.run.device

    @property
    def reader(self) -> str:
        """See `Orders.reader`."""
        return self.run.reader

    def check(self) -> None:
        """See `Orders.check`."""
        self.run.check(words=self.words)

    def around(self) -> AbstractContextManager[None]:
        """See `Orders.around`: the files of many are strangers'."""
        return looking_first()

    def entries(self, task: Pair | Unpaired) -> list[Entry]:
        """See `Orders.entries`."""
        return [entry_of(task)]

    def ends(self, task: Pair | Unpaired, many: Many) -> Iterator[Ended]:
        """See `Orders.ends`."""
        terms = self.terms
        ends = align_pairs(
            [task] if isinstance(task, Pair) else [],
            self.run,
            unpaired=[task] if isinstance(task, Unpaired) else [],
            folder=self.folder,
            overwrite=terms.overwrite,
            retry_failed=terms.retry_failed,
            dry_run=terms.dry_run,
            dealing=terms.dealing,
            tidy=False,
            settings=terms.settings,
            many=many,
            extracts=self.extracts,
        )
        for result, alignment in ends:
            yield result, None if alignment is None else replace(alignment, similarity=None)

    def seconds(self, end: Ended) -> float | None:
        """See `Orders.seconds`: to the end of the last clip."""
        result, alignment = end
        if result.status not in ("done", "partial") or alignment is None or alignment.times is None:
            return None
        return float(alignment.times[-1][1]) if len(alignment.times) else None

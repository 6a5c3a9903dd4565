"""A thread that has videos read, by a process of its own or by itself, and puts their clips on the shelf."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, Protocol

from vidalign.batch.child.parent import Child
from vidalign.batch.mixing import Guard
from vidalign.batch.modelling import Clips, End, Nudge, Video
from vidalign.batch.reading import Messages, read, request_for
from vidalign.batch.shelf import ClosedError, Shelf

STALL_SECONDS = 120.0
"""A reading process of which nothing is heard for so long is killed."""

READER_MEMORY = 4 * 2**30
"""Bytes that a reading process may take."""

TARGET = "vidalign.batch.child.video:read"


class Job(NamedTuple):
    """A video to read, the file that is read for it, and the threads that decode it."""

    video: Video
    opened: Callable[[], AbstractContextManager[Path]]
    threads: int


class Asked(Protocol):
    """What answers requests."""

    def ask(self, request: Any, *, stall: float | None, limit: float | None) -> Messages:
        """See `Child.ask`."""
        ...

    def close(self) -> None:
        """It is not asked any more."""
        ...


class Here:
    """Reads in this process."""

    def ask(self, request: Any, *, stall: float | None, limit: float | None) -> Messages:
        """See `Child.ask`; nothing can be interrupted here."""
        yield from read(request, lambda: None)

    def close(self) -> None:
        """Nothing to end."""


def reading_process() -> Asked:
    """A process that reads videos."""
    return Child(TARGET, memory=READER_MEMORY)


class Reader:
    """Takes jobs, one after the other, until there is None.

    `reads` says that pictures have come of it: it has started up.
    """

    def __init__(
        self,
        jobs: SimpleQueue[Job | None],
        shelf: Shelf[Clips | End | Nudge],
        events: SimpleQueue[Any],
        guard: Guard,
        *,
        here: bool,
        timeout: float | None,
    ) -> None:
        self._jobs, self._shelf, self._events, self._guard = jobs, shelf, events, guard
        self._here, self._timeout = here, timeout
        self._child: Child | None = None
        self.reads = False
        self._stopped = False

    def run(self) -> None:
        """The thread's work."""
        with closing(self._source()) as source:
            while (job := self._jobs.get()) is not None and not self._stopped:
                try:
                    self._do(job, source)
                except ClosedError:
                    return
                self.reads = True
                self._events.put(("read", job.video))

    def interrupt(self) -> None:
        """From another thread: end what is being read, and take no more jobs."""
        self._stopped = True
        if self._child is not None:
            self._child.interrupt()

    def _source(self) -> Asked:
        source = Here() if self._here else reading_process()
        self._child = source if isinstance(source, Child) else None
        return source

    def _do(self, job: Job, source: Asked) -> None:
        video = job.video
        error = self._guard(lambda: self._read(job, source), video.path)
        if error is not None:
            video.error = error
        self._shelf.put(video.row, End(video))

    def _read(self, job: Job, source: Asked) -> None:
        video = job.video
        extractions = [making.extraction for making in video.makings]
        recipes = [extraction.resolved_recipe for extraction in extractions]
        with job.opened() as path:
            request = request_for(path, extractions[0].reader, recipes, job.threads)
            with closing(source.ask(request, stall=STALL_SECONDS, limit=self._timeout)) as answer:
                for cut in video.reading.clips(answer, len(recipes)):
                    self._shelf.put(video.row, Clips(video, cut), cut.weight)
                    self.reads = True
                    if video.hopeless:
                        break

"""Jobs dealt to workers that may die: an idle one gets the next job, a dead one's jobs go to another."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from vidalign.errors import VidalignError

log = logging.getLogger(__name__)

Task = TypeVar("Task")
Answer = TypeVar("Answer")
Asked = TypeVar("Asked", contravariant=True)
Given = TypeVar("Given", covariant=True)
Handle = TypeVar("Handle")
Ticket = TypeVar("Ticket")

DEATHS = 3
"""How many workers may die at a job, the last one with no other job, before it is given up."""
LOSSES = 10
"""The same where nothing says that the job is to blame."""
LOOK_SECONDS = 1.0
"""How often to look for workers that could be had or are missing."""
SAY_SECONDS = 30.0


class NoWorkerError(VidalignError):
    """No worker could be had, or none that lives."""


class WorkerLostError(VidalignError):
    """A worker died; the message is how. `blameless`: with its machine, so not of what it was doing."""

    def __init__(self, message: str, *, blameless: bool = False) -> None:
        super().__init__(message)
        self.blameless = blameless


class Cluster(Protocol[Asked, Given, Handle, Ticket]):
    """Where workers live. Tickets stand for answers under way; they can be hashed."""

    def places(self) -> int:
        """How many workers fit now."""

    def hire(self) -> tuple[Handle, Ticket]:
        """Ask for a worker; the ticket is answered once it is there and has checked that it can work."""

    def ask(self, worker: Handle, task: Asked) -> Ticket:
        """Give a worker a job."""

    def answered(self, tickets: Sequence[Ticket], seconds: float) -> list[Ticket]:
        """Those whose answers are here, waited for until there is one, not longer than so many seconds."""

    def collect(self, ticket: Ticket) -> Given:
        """An answer; raises WorkerLostError, and what the worker refuses to work with."""

    def dismiss(self, worker: Handle) -> None:
        """End a worker, dead or alive."""


@dataclass
class _Job(Generic[Task]):
    task: Task
    deaths: int = 0
    losses: int = 0

    @property
    def suspected(self) -> bool:
        """Whether a worker died of it, or beside it: its next one is to do nothing else."""
        return self.deaths > 0


@dataclass(eq=False)
class _Worker(Generic[Task, Handle]):
    handle: Handle
    ready: bool = False
    jobs: list[_Job[Task]] = field(default_factory=list)

    def takes(self, job: _Job[Task], at_once: int) -> bool:
        """Whether it may have this job now."""
        if not self.ready or any(other.suspected for other in self.jobs):
            return False
        return not self.jobs if job.suspected else len(self.jobs) < at_once


class Fleet(Generic[Task, Answer, Handle, Ticket]):
    """Has every task done once by some worker of the cluster, `at_once` by each at a time.

    `give_up` makes the answer to a task that its workers keep dying of. `patience`: seconds to wait for a
    worker when there is none.
    """

    def __init__(
        self,
        cluster: Cluster[Task, Answer, Handle, Ticket],
        give_up: Callable[[Task, WorkerLostError], Answer],
        *,
        at_once: int,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster, self._give_up = cluster, give_up
        self._at_once, self._patience, self._clock = at_once, patience, clock
        self._workers: list[_Worker[Task, Handle]] = []
        self._tickets: dict[Ticket, tuple[_Worker[Task, Handle], _Job[Task] | None]] = {}
        self._again: deque[_Job[Task]] = deque()
        self._stillborn = 0
        self._alive_at = self._looked_at = self._said_at = clock()

    def answers(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, Answer]]:
        """Each task with its answer, in the order of completion.

        Raises NoWorkerError where no worker can be had, and what a worker refuses to work with.
        """
        waiting = map(_Job[Task], tasks)
        upcoming = next(waiting, None)
        try:
            while upcoming is not None or self._again or any(worker.jobs for worker in self._workers):
                self._man()
                while upcoming is not None and not self._again and self._deal(upcoming):
                    upcoming = next(waiting, None)
                for ticket in self._cluster.answered(list(self._tickets), LOOK_SECONDS):
                    yield from self._settle(ticket)
        finally:
            for worker in self._workers:
                self._cluster.dismiss(worker.handle)

    def _man(self) -> None:
        """Hire as many workers as there are places for, now and then, and deal what is to be done again.

        New jobs wait for those, else no worker would ever be idle for a job that is to be alone.
        """
        now = self._clock()
        if not self._workers or now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            for _ in range(self._cluster.places() - len(self._workers)):
                self._hire()
        if any(worker.ready for worker in self._workers):
            self._alive_at = self._said_at = now
        elif now - self._alive_at > self._patience:
            raise NoWorkerError(
                f"no worker came up within {self._patience:g} s", hint="see what `ray status` says"
            )
        elif now - self._said_at > SAY_SECONDS:
            self._said_at = now
            log.warning("waiting for a worker since %.0f s", now - self._alive_at)
        for _ in range(len(self._again)):
            job = self._again.popleft()
            if not self._deal(job):
                self._again.append(job)

    def _hire(self) -> None:
        handle, ticket = self._cluster.hire()
        worker = _Worker[Task, Handle](handle)
        self._workers.append(worker)
        self._tickets[ticket] = worker, None

    def _deal(self, job: _Job[Task]) -> bool:
        """Give a job to the worker with the fewest, if any takes it."""
        takers = [worker for worker in self._workers if worker.takes(job, self._at_once)]
        if not takers:
            return False
        worker = min(takers, key=lambda taker: len(taker.jobs))
        worker.jobs.append(job)
        self._tickets[self._cluster.ask(worker.handle, job.task)] = worker, job
        return True

    def _settle(self, ticket: Ticket) -> Iterator[tuple[Task, Answer]]:
        """What an answer means; nothing where its worker's death is known already."""
        if ticket not in self._tickets:
            return
        worker, job = self._tickets.pop(ticket)
        try:
            answer = self._cluster.collect(ticket)
        except WorkerLostError as error:
            yield from self._bury(worker, error)
            return
        self._stillborn = 0
        if job is None:
            worker.ready = True
        else:
            worker.jobs.remove(job)
            yield job.task, answer

    def _bury(self, worker: _Worker[Task, Handle], error: WorkerLostError) -> Iterator[tuple[Task, Answer]]:
        """Have the jobs of a dead worker done again, but for one that it died of too often."""
        log.warning(
            "a worker died: %s; what it had under way (%d) is done again", error.message, len(worker.jobs)
        )
        self._workers.remove(worker)
        self._looked_at = -math.inf
        self._cluster.dismiss(worker.handle)
        self._tickets = {ticket: held for ticket, held in self._tickets.items() if held[0] is not worker}
        if not worker.ready and not error.blameless:
            self._stillborn += 1
            if self._stillborn > DEATHS * max(self._cluster.places(), 1):
                raise NoWorkerError(f"the workers die before they can work: {error.message}")
        alone = len(worker.jobs) == 1
        for job in worker.jobs:
            job.losses += 1
            job.deaths += not error.blameless
            if (alone and job.deaths >= DEATHS) or job.losses >= LOSSES:
                yield job.task, self._give_up(job.task, error)
            else:
                self._again.append(job)

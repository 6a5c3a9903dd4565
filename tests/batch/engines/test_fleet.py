"""Who gets which job, and what becomes of jobs whose workers die, with workers that die when told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count

import pytest

from vidalign.batch.engines.fleet import DEATHS, LOSSES, Fleet, NoWorkerError, WorkerLostError

Ticket = tuple[int, str | None]
Fate = Callable[[str, int], WorkerLostError | None]


class Pretended:
    """A cluster of `rooms` workers; `fate` says whether a worker dies of a job at that attempt."""

    def __init__(self, fate: Fate = lambda job, attempt: None, rooms: int = 2) -> None:
        self.fate, self.rooms = fate, rooms
        self.hired = 0
        self.asked: Counter[str] = Counter()
        self.beside: dict[str, list[int]] = {}
        self.under_way: dict[int, list[str]] = {}
        self.errors: dict[Ticket, WorkerLostError] = {}
        self.unready: WorkerLostError | Exception | None = None
        self._numbers = count()

    def places(self) -> int:
        return self.rooms

    def hire(self) -> tuple[int, Ticket]:
        self.hired += 1
        worker = next(self._numbers)
        self.under_way[worker] = []
        return worker, (worker, None)

    def ask(self, worker: int, task: str) -> Ticket:
        self.asked[task] += 1
        self.under_way[worker].append(task)
        self.beside.setdefault(task, []).append(len(self.under_way[worker]))
        return worker, task

    def answered(self, tickets: Sequence[Ticket], seconds: float) -> list[Ticket]:
        """The oldest, and the other jobs of its worker where it dies."""
        if not tickets:
            return []
        worker, task = tickets[0]
        error = None if task is None else self.fate(task, self.asked[task])
        if error is None:
            return [tickets[0]]
        lost = [ticket for ticket in tickets if ticket[0] == worker]
        self.errors |= dict.fromkeys(lost, error)
        return lost

    def collect(self, ticket: Ticket) -> str:
        if ticket in self.errors:
            raise self.errors.pop(ticket)
        worker, task = ticket
        if task is None:
            if self.unready is not None:
                raise self.unready
            return ""
        self.under_way[worker].remove(task)
        return f"{task} done"

    def dismiss(self, worker: int) -> None:
        del self.under_way[worker]


def answers(
    cluster: Pretended, tasks: Sequence[str], clock: Callable[[], float] = lambda: 0.0
) -> dict[str, str]:
    fleet = Fleet(
        cluster, lambda task, error: f"{task}: {error.message}", at_once=2, patience=60, clock=clock
    )
    given = list(fleet.answers(tasks))
    assert sorted(task for task, _ in given) == sorted(tasks)
    assert not cluster.under_way
    return dict(given)


def test_every_task_once_and_no_worker_too_many() -> None:
    cluster = Pretended()
    tasks = [str(number) for number in range(20)]
    assert answers(cluster, tasks) == {task: f"{task} done" for task in tasks}
    assert cluster.hired == 2
    assert max(at for places in cluster.beside.values() for at in places) == 2


def test_tasks_are_taken_from_the_list_as_there_is_room() -> None:
    taken: list[str] = []
    fleet = Fleet(Pretended(), lambda task, error: "", at_once=2, patience=60, clock=lambda: 0.0)
    under_way = fleet.answers(taken.append(str(number)) or str(number) for number in range(100))
    next(under_way)
    assert len(taken) < 8
    under_way.close()


def test_the_jobs_of_a_dead_worker_are_done_by_another() -> None:
    cluster = Pretended(lambda job, attempt: WorkerLostError("gone") if (job, attempt) == ("3", 1) else None)
    tasks = [str(number) for number in range(10)]
    assert answers(cluster, tasks) == {task: f"{task} done" for task in tasks}
    assert cluster.hired == 3
    assert cluster.asked.total() in (11, 12)


def test_a_job_that_kills_takes_no_neighbour_along() -> None:
    cluster = Pretended(lambda job, attempt: WorkerLostError("gone") if job == "3" else None)
    tasks = [str(number) for number in range(10)]
    given = answers(cluster, tasks)
    assert given.pop("3") == "3: gone"
    assert given == {task: f"{task} done" for task in tasks if task != "3"}
    assert cluster.asked["3"] == DEATHS
    assert cluster.beside["3"][1:] == [1] * (DEATHS - 1)
    assert max(cluster.asked[task] for task in given) == 2


def test_a_machine_that_goes_is_not_the_fault_of_its_job() -> None:
    def fate(job: str, attempt: int) -> WorkerLostError | None:
        return WorkerLostError("node", blameless=True) if job == "3" and attempt < LOSSES else None

    cluster = Pretended(fate)
    assert answers(cluster, ["1", "2", "3", "4"])["3"] == "3 done"
    forever = Pretended(lambda job, attempt: WorkerLostError("node", blameless=True) if job == "3" else None)
    assert answers(forever, ["1", "2", "3", "4"])["3"] == "3: node"
    assert forever.asked["3"] == LOSSES


def test_a_cluster_that_grows_and_shrinks_is_used() -> None:
    cluster = Pretended(rooms=1)
    times = count()

    def clock() -> float:
        now = next(times)
        cluster.rooms = 3 if now > 10 else 1
        return float(now)

    answers(cluster, [str(number) for number in range(40)], clock)
    assert cluster.hired == 3


def test_no_worker_within_the_patience() -> None:
    times = count()
    with pytest.raises(NoWorkerError, match="within 60 s"):
        answers(Pretended(rooms=0), ["1"], lambda: float(next(times)))


def test_workers_that_never_come_up_are_an_error() -> None:
    cluster = Pretended()
    cluster.unready = WorkerLostError("no such library")
    with pytest.raises(NoWorkerError, match="before they can work: no such library"):
        answers(cluster, ["1"])
    assert cluster.hired < 20


def test_what_a_worker_refuses_ends_the_run() -> None:
    cluster = Pretended()
    cluster.unready = ValueError("another model")
    with pytest.raises(ValueError, match="another model"):
        answers(cluster, ["1"])
    assert not cluster.under_way

"""Work that has to wait: what another process has, and what a disk refused, comes again later."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from vidalign.batch.failures import WAITING_HELPS
from vidalign.errors import StoreError, VidalignError
from vidalign.store.atomic import NO_ROOM

log = logging.getLogger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")

BACK_OFF = (1.0, 4.0, 16.0)
"""Seconds to wait before each further try at what a disk or a network refused."""
LOOK_AGAIN_SECONDS = 1.0
"""How often to look whether another process has finished an item."""


class Rounds(Generic[Task]):
    """Tasks in rounds: first all of them, then those that were put off, once their time has come."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._now = list(tasks)
        self._later: list[tuple[float, Task]] = []
        self._said = False

    def put_off(self, task: Task, seconds: float) -> None:
        """Give a task out again in a later round, `seconds` from now at the earliest."""
        self._later.append((time.monotonic() + seconds, task))

    def others_have(self, task: Task) -> None:
        """Give a task that another process has out again soon."""
        if not self._said:
            log.warning("another process is at work in the same folder; its items are waited for at the end")
        self._said = True
        self.put_off(task, LOOK_AGAIN_SECONDS)

    def __iter__(self) -> Iterator[list[Task]]:
        yield self._now
        while self._later:
            first = min(at for at, _ in self._later)
            time.sleep(max(0.0, first - time.monotonic()))
            waiting, now = self._later, time.monotonic()
            self._later = [(at, task) for at, task in waiting if at > now]
            yield [task for at, task in waiting if at <= now]


def pause_after(error: object, failures: int) -> float | None:
    """Seconds to wait before another try at what failed so often so, None where that would be in vain."""
    if not isinstance(error, VidalignError) or error.errno not in WAITING_HELPS or failures > len(BACK_OFF):
        return None
    return BACK_OFF[failures - 1]


def patiently(work: Callable[[], Result | VidalignError]) -> Result | VidalignError:
    """`work()`, again after a while where the disk or the network refused it."""
    failures = 0
    while True:
        result = work()
        failures += 1
        pause = pause_after(result, failures)
        if pause is None:
            return result
        time.sleep(pause)


def check_room(error: VidalignError | None) -> None:
    """Raise StoreError where nothing more can be written, so that nothing is computed in vain."""
    if isinstance(error, StoreError) and error.errno in NO_ROOM:
        raise StoreError(
            "the run ends here, as its disk takes no more outputs", hint="make room and start it again"
        )

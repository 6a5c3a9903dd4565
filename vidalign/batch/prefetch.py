"""A producer in a thread of its own, ahead of its consumer by a bounded weight of items."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item")


def one(_: object) -> int:
    """The weight that makes a bound a number of items."""
    return 1


def prefetch(
    produce: Callable[[], Iterable[Item]], ahead: int, weight: Callable[[Item], int] = one
) -> Generator[Item, None, None]:
    """Items of `produce()`, made in a thread that goes on while those in front weigh less than `ahead`.

    The producer's exception is raised here. When the consumer stops, `close()` ends the thread and waits
    for it, so what the producer reads from can be closed afterwards.
    """
    shelf: _Shelf[Item] = _Shelf(ahead)

    def run() -> None:
        error: BaseException | None = None
        try:
            for item in produce():
                if not shelf.put(item, weight(item)):
                    break
        except BaseException as caught:
            error = caught
        shelf.end(error)

    thread = threading.Thread(target=run, name="vidalign-prefetch", daemon=True)
    thread.start()
    try:
        yield from shelf
    finally:
        shelf.stop()
        thread.join()


class _Shelf(Generic[Item]):
    """What lies between the two threads."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._held: deque[tuple[Item, int]] = deque()
        self._weight = 0
        self._change = threading.Condition()
        self._ended = self._stopped = False
        self._error: BaseException | None = None

    def put(self, item: Item, weight: int) -> bool:
        """Put an item down and wait until there is room for another; False: no more is wanted."""
        with self._change:
            self._held.append((item, weight))
            self._weight += weight
            self._change.notify_all()
            self._change.wait_for(lambda: self._weight < self._room or not self._held or self._stopped)
            return not self._stopped

    def end(self, error: BaseException | None) -> None:
        """No more comes; `error` is raised behind the last item."""
        with self._change:
            self._ended, self._error = True, error
            self._change.notify_all()

    def stop(self) -> None:
        """No more is wanted."""
        with self._change:
            self._stopped = True
            self._change.notify_all()

    def __iter__(self) -> Generator[Item, None, None]:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._held or self._ended)
                if not self._held:
                    break
                item, weight = self._held.popleft()
                self._weight -= weight
                self._change.notify_all()
            yield item
        if self._error is not None:
            raise self._error

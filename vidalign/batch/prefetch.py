"""A producer in a thread of its own, ahead of its consumer by a bounded number of items."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from queue import SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")


class _End:
    """What the producer leaves last: its error, if it had one."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(produce: Callable[[], Iterable[Item]], ahead: int) -> Generator[Item, None, None]:
    """Items of `produce()`, made in a thread that is at most `ahead` >= 1 items in front.

    The producer's exception is raised here. When the consumer stops, `close()` ends the thread and waits
    for it, so what the producer reads from can be closed afterwards.
    """
    made: SimpleQueue[Item | _End] = SimpleQueue()
    room = threading.Semaphore(ahead - 1)
    stop = threading.Event()

    def run() -> None:
        error: BaseException | None = None
        try:
            for item in produce():
                made.put(item)
                room.acquire()
                if stop.is_set():
                    break
        except BaseException as caught:
            error = caught
        made.put(_End(error))

    thread = threading.Thread(target=run, name="vidalign-prefetch", daemon=True)
    thread.start()
    try:
        while not isinstance(item := made.get(), _End):
            room.release()
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stop.set()
        room.release()
        thread.join()

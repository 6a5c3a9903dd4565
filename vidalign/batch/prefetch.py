"""A producer in a thread of its own, ahead of its consumer by a bounded number of items."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, Full, Queue
from typing import TypeVar

Item = TypeVar("Item")
_WAIT = 0.1


class _End:
    """Closes the queue, with the producer's error if it had one."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(produce: Callable[[], Iterable[Item]], ahead: int) -> Iterator[Item]:
    """Items of `produce()`, made in a thread that runs at most `ahead` items in front.

    The producer's exception is raised here; when the consumer stops early the thread ends too.
    """
    queue: Queue[Item | _End] = Queue(maxsize=ahead)
    stop = threading.Event()

    def put(item: Item | _End) -> bool:
        while not stop.is_set():
            try:
                queue.put(item, timeout=_WAIT)
            except Full:
                continue
            return True
        return False

    def run() -> None:
        error: BaseException | None = None
        try:
            for item in produce():
                if not put(item):
                    return
        except BaseException as caught:
            error = caught
        put(_End(error))

    thread = threading.Thread(target=run, name="vidalign-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            try:
                item = queue.get(timeout=_WAIT)
            except Empty:
                continue
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stop.set()
        thread.join()

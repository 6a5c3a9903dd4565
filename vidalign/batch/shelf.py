"""What lies between the threads that make and those that take: so much of it, and no more."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class ClosedError(Exception):
    """The shelf was closed: nothing more is put down or taken."""


class Shelf(Generic[Item]):
    """Items in several rows, first in, first out, that together weigh at most `room`, or are just one."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._rows: dict[int, deque[tuple[Item, int]]] = {}
        self._weight = 0
        self._closed = False
        self._change = threading.Condition()

    @property
    def weight(self) -> int:
        """What lies there weighs so much."""
        return self._weight

    def put(self, row: int, item: Item, weight: int = 0) -> None:
        """Put an item down, once there is room; one of no weight always has it. Raises ClosedError."""
        with self._change:
            self._change.wait_for(lambda: self._closed or self._fits(weight))
            self._check()
            self._weight += weight
            self._rows.setdefault(row, deque()).append((item, weight))
            self._change.notify_all()

    def get(self, row: int, timeout: float | None = None) -> Item | None:
        """The first item of a row; None where none comes for `timeout` seconds. Raises ClosedError."""
        with self._change:
            items = self._rows.setdefault(row, deque())
            self._change.wait_for(lambda: self._closed or bool(items), timeout)
            self._check()
            if not items:
                return None
            item, weight = items.popleft()
            self._weight -= weight
            self._change.notify_all()
            return item

    def close(self) -> None:
        """Wake everybody up with ClosedError."""
        with self._change:
            self._closed = True
            self._rows.clear()
            self._change.notify_all()

    def _fits(self, weight: int) -> bool:
        return weight == 0 or self._weight == 0 or self._weight + weight <= self._room

    def _check(self) -> None:
        if self._closed:
            raise ClosedError

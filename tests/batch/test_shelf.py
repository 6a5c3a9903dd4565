"""Between threads lies so much and no more, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from vidalign import threads
from vidalign.batch.shelf import ClosedError, Shelf


def test_each_row_keeps_its_order() -> None:
    shelf: Shelf[int] = Shelf(100)
    for number in range(6):
        shelf.put(number % 2, number, 1)
    assert shelf.weight == 6
    assert [shelf.get(1) for _ in range(3)] == [1, 3, 5]
    assert [shelf.get(0) for _ in range(3)] == [0, 2, 4]
    assert shelf.weight == 0


def test_an_empty_row_gives_nothing_in_time() -> None:
    shelf: Shelf[int] = Shelf(1)
    shelf.put(0, 1, 1)
    began = time.monotonic()
    assert shelf.get(1, 0.05) is None
    assert time.monotonic() - began >= 0.04


@pytest.mark.parametrize("producers", [1, 3])
def test_it_never_holds_more_than_it_may(producers: int) -> None:
    shelf: Shelf[int] = Shelf(10)
    failed: list[BaseException] = []

    def produce() -> None:
        for number in range(200):
            shelf.put(0, number, 1 + number % 4)

    working = [threads.start("test", produce, failed.append) for _ in range(producers)]
    most = 0
    for _ in range(200 * producers):
        most = max(most, shelf.weight)
        assert shelf.get(0, 10) is not None
    for thread in working:
        thread.join(10)
    assert not failed
    assert 4 < most <= 10


def test_what_is_too_heavy_passes_alone_and_what_weighs_nothing_always() -> None:
    shelf: Shelf[str] = Shelf(10)
    shelf.put(0, "heavy", 99)
    shelf.put(0, "light", 0)
    second = threads.start("test", lambda: shelf.put(0, "second", 1), lambda error: None)
    time.sleep(0.05)
    assert second.is_alive()
    assert [shelf.get(0), shelf.get(0), shelf.get(0, 10)] == ["heavy", "light", "second"]


def test_closing_wakes_everybody() -> None:
    shelf: Shelf[int] = Shelf(1)
    shelf.put(0, 1, 1)
    ended: list[BaseException] = []
    both = [
        threads.start("putter", lambda: shelf.put(0, 2, 1), ended.append),
        threads.start("getter", lambda: _take(shelf, 1), ended.append),
    ]
    shelf.close()
    for thread in both:
        thread.join(10)
    assert [type(error) for error in ended] == [ClosedError, ClosedError]
    with pytest.raises(ClosedError):
        shelf.get(0)


def _take(shelf: Shelf[Any], row: int) -> None:
    shelf.get(row)


def test_what_a_thread_raises_is_handed_over() -> None:
    told: list[BaseException] = []
    error = KeyError("lost")

    def work() -> None:
        raise error

    thread = threads.start("name", work, told.append)
    thread.join(10)
    assert told == [error]
    assert (thread.name, thread.daemon) == ("vidalign-name", True)
    assert threading.current_thread() is not thread

"""A producer in a thread: never further ahead than asked for, never left behind, its errors arrive."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from vidalign.batch.prefetch import prefetch


def threads() -> int:
    return sum(thread.name == "vidalign-prefetch" for thread in threading.enumerate())


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("never came true")


@pytest.mark.parametrize("ahead", [1, 2, 7])
def test_everything_comes_in_order(ahead: int) -> None:
    assert list(prefetch(lambda: range(50), ahead)) == list(range(50))
    assert threads() == 0


def test_nothing_comes_of_nothing() -> None:
    assert list(prefetch(lambda: [], 3)) == []


@pytest.mark.parametrize("ahead", [1, 3])
def test_it_runs_ahead_by_no_more_than_asked_for(ahead: int) -> None:
    made = 0

    def produce() -> Iterator[int]:
        nonlocal made
        while True:
            made += 1
            yield made

    with closing(prefetch(produce, ahead)) as items:
        for taken in range(1, 6):
            assert next(items) == taken
            wait_until(lambda: made == taken + ahead)  # noqa: B023
            time.sleep(0.02)
            assert made == taken + ahead


def test_it_works_while_the_consumer_does() -> None:
    both = threading.Barrier(2, timeout=5)

    def produce() -> Iterator[int]:
        yield 1
        both.wait()
        yield 2

    items = prefetch(produce, 2)
    assert next(items) == 1
    both.wait()
    assert list(items) == [2]


def test_the_error_of_the_producer_arrives_after_its_items() -> None:
    def produce() -> Iterator[int]:
        yield 1
        raise LookupError("gone")

    items = prefetch(produce, 5)
    assert next(items) == 1
    with pytest.raises(LookupError, match="gone"):
        next(items)
    assert threads() == 0


def test_the_thread_ends_and_lets_go_when_the_consumer_stops() -> None:
    ended = []

    def produce() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            ended.append(threading.current_thread().name)

    items = prefetch(produce, 2)
    assert next(items) == 0
    items.close()
    assert ended == ["vidalign-prefetch"]
    assert threads() == 0


def test_an_error_of_the_consumer_ends_the_thread() -> None:
    with pytest.raises(KeyError), closing(prefetch(lambda: range(1000), 2)) as items:
        for _ in items:
            raise KeyError
    assert threads() == 0


def test_the_bound_may_be_a_weight() -> None:
    """Items of weight 3 in front of a bound of 7: three of them, the last of which reaches it."""
    made = 0

    def produce() -> Iterator[int]:
        nonlocal made
        while True:
            made += 1
            yield made

    with closing(prefetch(produce, 7, lambda item: 3 if item < 10 else 100)) as items:
        for taken in range(1, 6):
            assert next(items) == taken
            wait_until(lambda: made == taken + 3)  # noqa: B023
            time.sleep(0.02)
            assert made == taken + 3
        assert [next(items) for _ in range(10)] == list(range(6, 16))
        wait_until(lambda: made == 16)
        time.sleep(0.02)
        assert made == 16

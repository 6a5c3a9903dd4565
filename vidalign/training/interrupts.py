"""Ctrl-C and termination between two steps, so that what is saved is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

TERMINATED = 143


class Interrupts:
    """The signal that has come, 0 while there is none."""

    def __init__(self) -> None:
        self.number = 0

    def leave(self, number: int) -> NoReturn:
        """End as the program would have without a handler: KeyboardInterrupt, or exit code 143."""
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(TERMINATED)


@contextmanager
def held_back() -> Iterator[Interrupts]:
    """Inside, the first SIGINT or SIGTERM is only noted; a second one does what it did before.

    In another thread than the main one signals stay as they are.
    """
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        interrupts.number = number
        restore()

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, note)
    try:
        yield interrupts
    finally:
        restore()

"""Threads whose exceptions reach somebody."""

from __future__ import annotations

import threading
from collections.abc import Callable


def start(name: str, work: Callable[[], None], failed: Callable[[BaseException], None]) -> threading.Thread:
    """Do `work` in a daemon thread; what it raises is handed to `failed` there."""

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failed(error)

    thread = threading.Thread(target=run, name=f"vidalign-{name}", daemon=True)
    thread.start()
    return thread

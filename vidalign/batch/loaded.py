"""What was loaded once is kept, also where the settings around it change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

Held = TypeVar("Held")

_LOADING = threading.Lock()


class Loaded(Generic[Held]):
    """Networks by all that they depend on; what is sent to another process holds none.

    Threads that share networks which may not serve two at once hold `alone` while they compute.
    """

    def __init__(self) -> None:
        self.alone = threading.Lock()
        self._held: dict[Hashable, Held] = {}

    def get(self, key: Hashable, load: Callable[[], Held]) -> Held:
        """That of the key, loaded at the first use; one is loaded at a time."""
        with _LOADING:
            if key not in self._held:
                self._held[key] = load()
            return self._held[key]

    def __reduce__(self) -> tuple[Any, ...]:
        return Loaded, ()

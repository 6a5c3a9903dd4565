"""How far a batch is: videos, seconds of video, how fast, how long still, how many failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from vidalign.batch.encoding import Progress
from vidalign.batch.report import ItemResult


class Tally:
    """Counts `videos` of `outputs` items each; updates may come from any thread.

    Seconds are those of video gone through in this run, by the length of each video where that is known; the
    videos to come are taken to be as long as those seen were on average.
    """

    def __init__(self, videos: int, outputs: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._videos, self._outputs, self._clock = videos, max(outputs, 1), clock
        self._lock = threading.Lock()
        self._started: float | None = None
        self._ends = self._failed = 0
        self._seconds = 0.0
        self._lengths: list[float] = []
        self._under_way: dict[str, tuple[float, float | None]] = {}

    def begin(self, name: str) -> Progress:
        """Work on a video begins; gives the function to report its seconds to."""
        with self._lock:
            if self._started is None:
                self._started = self._clock()
            self._under_way[name] = 0.0, None
        return partial(self._update, name)

    def end(self, result: ItemResult) -> None:
        """One item has ended."""
        with self._lock:
            self._ends += 1
            self._failed += result.status == "failed"
            done, length = self._under_way.pop(result.item, (0.0, None))
            if result.status in ("done", "partial") and length is not None:
                done = length
                self._lengths.append(length)
            self._seconds += done

    def _update(self, name: str, done: float, length: float | None) -> None:
        with self._lock:
            if name in self._under_way:
                self._under_way[name] = done, length

    @property
    def seconds(self) -> float:
        """Seconds of video gone through."""
        with self._lock:
            return self._seconds + sum(done for done, _ in self._under_way.values())

    @property
    def expected(self) -> float | None:
        """Seconds of video of the whole run, None before the length of any is known."""
        with self._lock:
            known = [
                *self._lengths,
                *(length for _, length in self._under_way.values() if length is not None),
            ]
            if not known:
                return None
            mean = sum(known) / len(known)
            coming = self._videos - self._ends // self._outputs - len(self._under_way)
            running = sum(mean if length is None else length for _, length in self._under_way.values())
            return self._seconds + running + max(coming, 0) * mean

    def as_json(self) -> dict[str, Any]:
        """The numbers: `rate` is seconds of video a second, `left` seconds; null where nothing is known."""
        seconds, expected = self.seconds, self.expected
        spent = 0.0 if self._started is None else self._clock() - self._started
        rate = seconds / spent if spent > 0 and seconds else None
        return {
            "videos": self._ends // self._outputs,
            "of": self._videos,
            "seconds": round(seconds, 3),
            "rate": None if rate is None else round(rate, 2),
            "left": None
            if rate is None or expected is None
            else round(max(expected - seconds, 0.0) / rate, 1),
            "failed": self._failed,
        }

    def __str__(self) -> str:
        told = self.as_json()
        rate = "" if told["rate"] is None else f", {told['rate']:.3g} times real time"
        return f"{told['videos']} of {told['of']} videos{rate}, {told['failed']} failed"

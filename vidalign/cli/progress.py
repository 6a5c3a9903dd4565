"""How far the work is: bars on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vidalign.cli.lines import printable

if TYPE_CHECKING:
    from rich.progress import Progress

PLAIN_EVERY = 30.0
"""Seconds between plain progress lines."""


class Meter:
    """How far one piece of work is; updates may come from any thread."""

    def __init__(self, show: Callable[[float, float | None, str], None], total: float | None) -> None:
        self._show = show
        self._lock = threading.Lock()
        self._done = 0.0
        self._total = total

    def update(self, done: float, total: float | None = None, note: str = "") -> None:
        """Set how much is done; `total` and `note` where they are known now."""
        with self._lock:
            self._done = done
            self._total = self._total if total is None else total
            self._show(self._done, self._total, note)

    def advance(self, step: float = 1, note: str = "") -> None:
        """Add to what is done."""
        with self._lock:
            self._done += step
            self._show(self._done, self._total, note)


class PlainLines:
    """Progress without a terminal: a line now and then, so that a log file says how far it is."""

    def __init__(
        self,
        say: Callable[[str], None],
        label: str,
        unit: str,
        clock: Callable[[], float],
        before: float = 0.0,
    ) -> None:
        self._say, self._label, self._unit, self._clock, self._before = say, label, unit, clock, before
        self._started = self._last = clock()

    def show(self, done: float, total: float | None, note: str) -> None:
        """Say a line if the last one is long ago."""
        now = self._clock()
        if now - self._last < PLAIN_EVERY:
            return
        self._last = now
        spent = now - self._started
        line = f"{self._label}: {amount(done, total, self._unit)}, {duration(spent)} so far"
        if total and self._before < done <= total:
            line += f", about {duration(spent * (total - done) / (done - self._before))} left"
        self._say(f"{line}, {note}" if note else line)


class Bars:
    """Progress on a terminal: one line a running piece of work, gone when the work is."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._lock = threading.RLock()
        self._running = 0

    @contextmanager
    def task(self, label: str, total: float | None, unit: str, before: float = 0.0) -> Iterator[Meter]:
        """A line for one piece of work, of which so much is done before."""
        progress = self._open()
        said = amount(before, total, unit)
        task = progress.add_task(printable(label), total=total, completed=int(before), amount=said)

        def show(done: float, total: float | None, note: str) -> None:
            said = amount(done, total, unit) + (f", {printable(note)}" if note else "")
            progress.update(task, completed=done, total=total, amount=said)

        try:
            yield Meter(show, total)
        finally:
            progress.remove_task(task)
            self._close()

    def aside(self, write: Callable[[], None]) -> None:
        """Clear the lines, call `write`, draw them again."""
        with self._lock:
            if self._progress is None:
                write()
                return
            self._progress.stop()
            write()
            self._progress.start()

    def _open(self) -> Progress:
        with self._lock:
            if self._progress is None:
                self._progress = _rich_progress()
                self._progress.start()
            self._running += 1
            return self._progress

    def _close(self) -> None:
        with self._lock:
            self._running -= 1
            if self._running == 0 and self._progress is not None:
                self._progress.stop()
                self._progress = None


def _rich_progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[amount]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True, highlight=False)
    return Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)


bars = Bars()
"""The bars of this process's terminal."""


def amount(done: float, total: float | None, unit: str) -> str:
    """`done` of `total` in words: "3 of 10 videos", "1:20 of 5:00" (unit s), "1.5 of 20.0 MB" (unit B)."""
    if unit == "s":
        return duration(done) if total is None else f"{duration(done)} of {duration(total)}"
    if unit == "B":
        return f"{done / 1e6:.1f} MB" if total is None else f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"
    said = f"{done:g}" if total is None else f"{done:g} of {total:g}"
    return f"{said} {unit}".rstrip()


def duration(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

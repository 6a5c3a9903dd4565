"""Videos -> features, many at a time: reading processes feed one network a device.

path -> reading processes -> clips of many videos -> a model thread a device -> rows -> features.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum
from itertools import chain, repeat
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, NamedTuple, Protocol, Self

from vidalign import threads
from vidalign.batch.boundary import attempt
from vidalign.batch.extraction import Extraction
from vidalign.batch.making import Making
from vidalign.batch.mixing import Guard
from vidalign.batch.modelling import Clips, End, Model, Nudge, Video
from vidalign.batch.readers import Job, Reader
from vidalign.batch.shelf import Shelf
from vidalign.errors import VidalignError
from vidalign.types import Features

AHEAD_BYTES = 256 * 2**20
"""Decoded pictures that wait for the networks, of all videos together; see `Settings.memory`."""

MOST_READERS = 32
"""Reading processes that `auto` starts at most."""


MOMENT = 0.05
"""Seconds after which works are asked for again where there were none."""


class _End(Enum):
    """No work follows."""

    END = "end"


_END = _End.END


class Work(NamedTuple):
    """One video and what is to be made of it; `key` is given back with the result.

    `opened` gives the file to read in place of `video`, which may be gone once it is left.
    """

    key: Any
    video: Path
    extractions: Sequence[Extraction]
    opened: Callable[[], AbstractContextManager[Path]] | None = None


class Made(NamedTuple):
    """What was made of one video, or why not, in the order of its extractions; `seconds` it took."""

    key: Any
    results: list[Features | VidalignError]
    seconds: float


@dataclass(frozen=True, slots=True)
class Settings:
    """How videos go through.

    `workers` processes read, None: one at first, another whenever the network waits for pictures, at most one
    a core; 0: this process reads by itself, so that nothing guards it against hostile files. `timeout`
    seconds may be spent on reading one video. `memory` bytes of decoded pictures wait for the networks, all
    videos together (and one clip in each reader's hands). `deterministic`: every batch has one shape and
    holds clips of one video, so that features do not depend on what else is under way. `cores` may be used,
    None: all that this process is allowed.
    """

    workers: int | None = None
    timeout: float | None = None
    memory: int = AHEAD_BYTES
    deterministic: bool = False
    cores: int | None = None


DEFAULT = Settings()

Progress = Callable[[Any, float, float | None], None]
"""Called, from another thread, with a work's key, the seconds of video done, and its length if known."""


class Many(Protocol):
    """`extract_many` of a pipeline."""

    def __call__(
        self, works: Iterable[Work], *, progress: Progress | None = None
    ) -> Generator[Made, None, None]:
        """Each work's features as soon as they are there."""


def extract_many(
    works: Iterable[Work | None], settings: Settings = DEFAULT, progress: Progress | None = None
) -> Generator[Made, None, None]:
    """See `Pipeline.extract_many`."""
    with Pipeline(settings) as pipeline:
        yield from pipeline.extract_many(works, progress)


class Pipeline:
    """Processes and networks that stay for the next videos; they end with the `with` block.

    `guard` tells a video's own errors from those that end the run.
    """

    def __init__(self, settings: Settings = DEFAULT, guard: Guard = attempt) -> None:
        self._settings, self._guard = settings, guard
        self._cores = settings.cores or cores()
        self._shelf: Shelf[Clips | End | Nudge] = Shelf(settings.memory)
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._events: SimpleQueue[Any] = SimpleQueue()
        self._readers: list[Reader] = []
        self._models: list[Model] = []
        self._threads: list[Thread] = []
        self._unread = 0
        self._nothing_follows = False
        self._given: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *caught: object) -> None:
        self.close()

    def extract_many(
        self, works: Iterable[Work | None], progress: Progress | None = None
    ) -> Generator[Made, None, None]:
        """The features of each work as soon as they are there, whatever the order.

        `works` is asked in the caller's thread, shortly before a video's reading begins; where it gives None
        it is asked again a moment later. An error is the one extraction's it happens to, or all those' of its
        video. Raises UsageError, after which, as after an early end, the pipeline is closed.
        """
        coming = chain(works, repeat(_END))
        work: Work | _End | None = None
        ended = False
        try:
            while work is not _END or self._given:
                while work is not _END and self._unread < self._wanted_readers() + 1:
                    work = next(coming)
                    self._nudge(nothing_follows=not isinstance(work, Work))
                    if not isinstance(work, Work):
                        break
                    self._hand_out(work, progress)
                made = self._happened(MOMENT if work is None else None)
                if made is not None:
                    yield made
            ended = True
        finally:
            if not ended:
                self.close()

    def close(self) -> None:
        """End all threads and processes; what is under way is dropped."""
        self._shelf.close()
        for reader in self._readers:
            self._jobs.put(None)
            reader.interrupt()
        for thread in self._threads:
            thread.join()
        self._readers, self._models, self._threads = [], [], []

    def _hand_out(self, work: Work, progress: Progress | None) -> None:
        places = work.extractions[0].places
        while len(self._models) < len(places):
            self._start_model()
        model = min(self._models[: len(places)], key=lambda each: each.unread)
        told = None if progress is None else lambda done, length: progress(work.key, done, length)
        video = Video(work.key, work.video, work.extractions, model.row, told)
        model.given += 1
        self._unread += 1
        self._given.add(id(video))
        if len(self._readers) < min(self._wanted_readers(), self._unread):
            self._start_reader()
        opened = work.opened or (lambda: nullcontext(work.video))
        self._jobs.put(Job(video, opened, self._decoding_threads()))

    def _happened(self, patience: float | None) -> Made | None:
        """What follows from the next thing that a thread tells, within `patience` seconds."""
        if not self._given and patience is None:
            return None
        try:
            event = self._events.get(timeout=patience)
        except Empty:
            return None
        match event:
            case BaseException():
                raise event
            case ("read", Video() as video):
                self._unread -= 1
            case ("hungry", None):
                if self._may_grow():
                    self._start_reader()
            case ("made", Video() as video):
                self._given.discard(id(video))
                return self._made(video)
        return None

    def _made(self, video: Video) -> Made:
        results = [self._result(video, making) for making in video.makings]
        return Made(video.key, results, monotonic() - video.began)

    def _result(self, video: Video, making: Making) -> Features | VidalignError:
        made: list[Features] = []
        error = video.error or making.error
        if error is None:
            error = self._guard(lambda: made.append(making.features(video.reading)), video.path)
        if error is None:
            return made[0]
        error.reader = error.reader or video.reading.reader
        return error

    def _start_model(self) -> None:
        row = len(self._models)
        model = Model(row, self._shelf, self._events, self._guard, apart=self._settings.deterministic)
        self._models.append(model)
        self._threads.append(threads.start(f"model-{row}", model.run, self._events.put))

    def _start_reader(self) -> None:
        settings = self._settings
        reader = Reader(
            self._jobs,
            self._shelf,
            self._events,
            self._guard,
            here=settings.workers == 0,
            timeout=settings.timeout,
        )
        self._readers.append(reader)
        self._threads.append(threads.start(f"reader-{len(self._readers)}", reader.run, self._events.put))

    def _wanted_readers(self) -> int:
        """How many readers there should be by now."""
        if self._settings.workers is None:
            return max(1, len(self._readers))
        return max(1, self._settings.workers)

    def _may_grow(self) -> bool:
        """Whether another reader would help, now that the network waits for pictures."""
        all_busy = self._unread > len(self._readers) and all(reader.reads for reader in self._readers)
        room = len(self._readers) < min(self._cores, MOST_READERS)
        return self._settings.workers is None and all_busy and room

    def _decoding_threads(self) -> int:
        """For the next video, so that all readers together keep to the cores."""
        if self._settings.workers == 0:
            return 0
        return max(1, self._cores // max(1, min(len(self._readers), self._unread)))

    def _nudge(self, *, nothing_follows: bool) -> None:
        """Tell the networks whether to wait for batches to fill; said once."""
        if nothing_follows != self._nothing_follows:
            self._nothing_follows = nothing_follows
            for model in self._models:
                self._shelf.put(model.row, Nudge(nothing_follows))


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

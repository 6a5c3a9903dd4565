"""One pipeline for several threads: one video is read while the model is at work on another one's clips."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread

from vidalign import threads
from vidalign.batch.pipeline import Made, Pipeline, Progress, Settings, Work
from vidalign.errors import VidalignError


@dataclass(eq=False)
class _Asked:
    """A work that some thread waits for."""

    work: Work
    answer: SimpleQueue[Made | BaseException]


class SharedPipeline:
    """Processes and networks that live as long as this object is used; closed they are gone.

    Its `extract_many` may be called by many threads at a time.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._asked: SimpleQueue[_Asked | None] = SimpleQueue()
        self._waiting: dict[int, _Asked] = {}
        self._lock = Lock()
        self._thread: Thread | None = None

    def extract_many(
        self, works: Iterable[Work], *, progress: Progress | None = None
    ) -> Generator[Made, None, None]:
        """Each work's features, one work after the other; raises what ends the pipeline."""
        del progress  # nobody is near enough to be told
        for work in works:
            asked = _Asked(work, SimpleQueue())
            with self._lock:
                if self._thread is None:
                    self._thread = threads.start("shared", self._run, self._leave)
                self._asked.put(asked)
            answer = asked.answer.get()
            if isinstance(answer, BaseException):
                raise answer
            yield answer

    def close(self) -> None:
        """End all processes; who waits is told so."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._asked.put(None)
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        """Take works through a pipeline until it is closed or fails; all who wait then hear why."""
        with Pipeline(self._settings) as pipeline:
            for made in pipeline.extract_many(self._works()):
                asked = self._waiting.pop(made.key)
                asked.answer.put(made._replace(key=asked.work.key))
        self._leave(VidalignError("the work was broken off"))

    def _works(self) -> Iterator[Work | None]:
        """What is asked for now; None where that is nothing."""
        while True:
            try:
                asked = self._asked.get_nowait()
            except Empty:
                yield None
                continue
            if asked is None:
                return
            self._waiting[id(asked)] = asked
            yield asked.work._replace(key=id(asked))

    def _leave(self, reason: BaseException) -> None:
        """Tell all who wait, and let the next who asks begin anew."""
        with self._lock:
            self._thread = None
            left = list(self._waiting.values())
            self._waiting.clear()
            while not self._asked.empty():
                asked = self._asked.get()
                left += [] if asked is None else [asked]
        for asked in left:
            asked.answer.put(reason)

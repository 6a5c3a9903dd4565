"""Many machines through Ray: an actor a GPU, or a group of cores, and a task a video, or a pair.

Ray Data is not used: it works, fails and resumes by blocks of rows, and here a row is an hour of video.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, Literal

from vidalign.batch.align import Begin as BeginPair
from vidalign.batch.align import Ended, read_any, with_kept
from vidalign.batch.align import written_by as written_by_pairs
from vidalign.batch.boundary import attempt
from vidalign.batch.encoding import Progress
from vidalign.batch.engines.fleet import Fleet, WorkerLostError
from vidalign.batch.engines.orders import AlignOrders, ExtractOrders, Orders, Task, Terms, Videos, failed
from vidalign.batch.engines.sharing import SharedPipeline
from vidalign.batch.extract import Begin, Planned, written_by
from vidalign.batch.ledger import clear_leftovers
from vidalign.batch.pairs import Found, Unpaired, without_urls
from vidalign.batch.pipeline import Settings
from vidalign.batch.report import ItemResult
from vidalign.batch.rounds import check_room
from vidalign.batch.settings import AlignRun, Pair
from vidalign.batch.shards import Dealing
from vidalign.errors import MissingExtraError, UsageError, VidalignError

AT_ONCE = 4
"""Videos that an actor has under way, so that its model waits neither for reading nor for the driver."""
MOST_CPUS = {"cpu": 4, "gpu": 8}
"""Cores of an actor where `cpus` does not say how many."""


@dataclass(frozen=True, slots=True)
class RayOptions:
    """What an actor gets, and how many there are at most; None: by what the nodes have.

    `patience`: seconds to wait for a node with room.
    """

    actors: int | None = None
    cpus: int | None = None
    gpus: int | None = None
    patience: float = 600.0

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> RayOptions:
        """Raises UsageError on an unknown name or a value that is no number."""
        known = [field.name for field in fields(cls)]
        for name, value in values.items():
            if name not in known:
                raise UsageError(f"--engine ray has no option {name!r}", hint=f"known: {', '.join(known)}")
            least = 1 if name in ("actors", "cpus") else 0
            whole = type(value) is int or (name == "patience" and type(value) is float)
            if not whole or value < least:
                raise UsageError(f"--engine-option {name}={value}: a number from {least} is needed")
        return cls(**values)


class Worker(Generic[Task]):
    """What an actor is: it keeps the networks, and writes what it makes of a task as a local run would."""

    def __init__(self, orders: Orders[Task]) -> None:
        self._orders = orders
        self._pipeline = SharedPipeline(orders.terms.settings)
        self._stack = ExitStack()
        self._stack.callback(self._pipeline.close)

    def ready(self) -> VidalignError | None:
        """Whether this machine has what the work needs; the error that says what it lacks."""
        terms = self._orders.terms
        os.environ.update(terms.environment)
        try:
            os.chdir(terms.folder)
            self._stack.enter_context(self._orders.around())
            self._orders.check()
        except OSError as error:
            return UsageError(
                f"a worker on {os.uname().nodename} cannot enter {terms.folder}: {error.strerror}",
                hint="run from a folder that all nodes see",
            )
        except VidalignError as error:
            return error
        return None

    def do(self, task: Task) -> list[Ended] | VidalignError:
        """What became of each output of a task; an error is the whole run's."""
        entries = self._orders.entries(task)
        ends: list[Ended] = []

        def work() -> None:
            for end in self._orders.ends(task, self._pipeline.extract_many):
                ends.append(end)

        try:
            broken_off = attempt(work, entries[0].inputs[0])
        except UsageError as error:
            return error
        return ends if broken_off is None else [*ends, *failed(entries[len(ends) :], broken_off)]

    def close(self) -> None:
        """End its threads and processes; those of an actor that is killed die with it."""
        self._stack.close()


def _unheard(done: float, length: float | None) -> None:
    """Progress that nobody asked for."""


@dataclass(frozen=True)
class RayEngine:
    """Does the work by the actors of a Ray cluster: $RAY_ADDRESS, that of this machine, or a new one.

    Sources and outputs must be where all nodes see them. What is done is on disk, so a driver that died is
    started again. Raises MissingExtraError without Ray, NoWorkerError where no node has room.
    """

    options: RayOptions

    def extract(
        self,
        plan: Sequence[Planned],
        *,
        overwrite: bool = False,
        retry_failed: bool = False,
        dry_run: bool = False,
        dealing: Dealing | None = None,
        settings: Settings | None = None,
        progress: Begin | None = None,
    ) -> Generator[ItemResult, None, None]:
        """See `Engine.extract`."""
        terms = Terms(overwrite, retry_failed, dry_run, dealing, settings or Settings())
        orders = ExtractOrders(terms, tuple(planned.extraction for planned in plan))
        videos = list(zip(*(planned.items for planned in plan), strict=True))

        def begin(items: Videos) -> Progress:
            return _unheard if progress is None else progress(items[0])

        with closing(self._ends(orders, videos, list(written_by(plan)), begin)) as ends:
            for result, _ in ends:
                yield result

    def align(
        self,
        found: Found,
        run: AlignRun,
        *,
        overwrite: bool = False,
        retry_failed: bool = False,
        dry_run: bool = False,
        dealing: Dealing | None = None,
        settings: Settings | None = None,
        progress: BeginPair | None = None,
    ) -> Generator[Ended, None, None]:
        """See `Engine.align`."""
        found = without_urls(found)
        run.check_texts(found.pairs)
        pairs = with_kept(found.pairs, run)
        terms = Terms(overwrite, retry_failed, dry_run, dealing, settings or Settings())
        words = any(pair.texts is None for pair in pairs)
        orders = AlignOrders(terms, run, found.folder, words, read_any(pairs))

        def begin(task: Pair | Unpaired) -> Progress:
            return _unheard if progress is None or isinstance(task, Unpaired) else progress(task)

        tasks: list[Pair | Unpaired] = [*found.failed, *pairs]
        return self._ends(orders, tasks, list(written_by_pairs(pairs, found.folder)), begin)

    def _ends(
        self,
        orders: Orders[Task],
        tasks: Sequence[Task],
        written: Sequence[Path],
        begin: Callable[[Task], Progress],
    ) -> Generator[Ended, None, None]:
        """What becomes of the outputs of all tasks.

        A task begins when it is dealt, and its progress is told at its end: what an actor is in the middle of
        is not known here. What killed processes left beside the files `written` is cleared.
        """
        meters: dict[int, Progress] = {}

        def begun() -> Iterator[Task]:
            for task in tasks:
                meters[id(task)] = _unheard if orders.terms.dry_run else begin(task)
                yield task

        tidied = () if orders.terms.dry_run else written
        clear_leftovers(tidied)
        try:
            with connected() as ray:
                fleet = Fleet(
                    RayCluster(ray, orders, self.options),
                    lambda task, error: orders.given_up(task, error.message),
                    at_once=AT_ONCE,
                    patience=self.options.patience,
                )
                for task, ends in fleet.answers(begun()):
                    meter, seconds = meters.pop(id(task)), next(filter(None, map(orders.seconds, ends)), None)
                    if seconds is not None:
                        meter(seconds, seconds)
                    for end in ends:
                        yield end
                        check_room(end[0].error)
        finally:
            clear_leftovers(tidied)


@contextmanager
def connected() -> Iterator[Any]:
    """Ray, joined for as long as the body runs; it says nothing, counts nobody and takes no signal."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise MissingExtraError("--engine ray needs Ray", hint="pip install 'vidalign[ray]'") from None
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(log_to_driver=False, logging_level=logging.CRITICAL, include_dashboard=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"no Ray cluster: {reason}", hint="see $RAY_ADDRESS and `ray status`") from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)
    # It would print what the nodes say to standard output, which is the results'.
    ray._private.worker._worker_logs_enabled = False
    try:
        yield ray
    finally:
        ray.shutdown()


class RayCluster(Generic[Task]):
    """The cluster that this process has joined, as a fleet's."""

    def __init__(self, ray: Any, orders: Orders[Task], options: RayOptions) -> None:
        self._ray, self._options = ray, options
        self._device = orders.device
        kind: Literal["cpu", "gpu"] = self._kind()
        self._gpus = options.gpus if options.gpus is not None else int(kind == "gpu")
        self._cpus = options.cpus or self._group(kind)
        self._orders = orders.on_cores(self._cpus)
        self._actor = ray.remote(Worker)

    def places(self) -> int:
        """As many actors as fit on the nodes that are up, not more than asked for."""
        rooms = [
            min(cpus // self._cpus, gpus // self._gpus if self._gpus else cpus)
            for cpus, gpus in self._nodes()
        ]
        return min(sum(rooms), self._options.actors or sum(rooms))

    def hire(self) -> tuple[Any, Any]:
        """An actor, and what it says when it is there."""
        resources = {"num_cpus": self._cpus, "num_gpus": self._gpus, "max_concurrency": AT_ONCE}
        actor = self._actor.options(**resources).remote(self._orders)
        return actor, actor.ready.remote()

    def ask(self, worker: Any, task: Task) -> Any:
        """Give an actor a task."""
        return worker.do.remote(task)

    def answered(self, tickets: Sequence[Any], seconds: float) -> list[Any]:
        """Those that are answered."""
        if not tickets:
            time.sleep(seconds)
            return []
        ready, _ = self._ray.wait(list(tickets), timeout=seconds, fetch_local=True)
        return list(ready)

    def collect(self, ticket: Any) -> list[Ended]:
        """An answer; what ends the run is raised here as a VidalignError."""
        problems = self._ray.exceptions
        try:
            answer = self._ray.get(ticket)
        except problems.RayTaskError as error:
            reason = " ".join(str(error.cause).split())
            raise VidalignError(
                f"a worker failed: {type(error.cause).__name__}: {reason}",
                hint="VIDALIGN_DEBUG=1 shows where it happened",
            ) from error
        except problems.RayError as error:
            lost = isinstance(error, problems.ActorUnavailableError) or "node has died" in str(error)
            reason = " ".join(str(error).split())
            raise WorkerLostError(reason[:300], blameless=lost) from None
        if isinstance(answer, VidalignError):
            raise answer
        return answer or []

    def dismiss(self, worker: Any) -> None:
        """Kill an actor."""
        self._ray.kill(worker)

    def _kind(self) -> Literal["cpu", "gpu"]:
        """What the actors compute on."""
        device = self._device
        if device.startswith("cuda:"):
            raise UsageError("--engine ray gives every worker a GPU of its own", hint="say --device cuda")
        gpu = device == "cuda" or (device == "auto" and any(gpus for _, gpus in self._nodes()))
        return "gpu" if gpu and self._options.gpus != 0 else "cpu"

    def _group(self, kind: Literal["cpu", "gpu"]) -> int:
        """Cores for an actor: a GPU's share of its node, or those of the smallest node, within bounds."""
        shares = [cpus // max(gpus, 1) for cpus, gpus in self._nodes() if cpus and (gpus or kind == "cpu")]
        return max(1, min([MOST_CPUS[kind], *shares]))

    def _nodes(self) -> list[tuple[int, int]]:
        """Cores and GPUs of each node that is up."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        return [(int(node.get("CPU", 0)), int(node.get("GPU", 0))) for node in nodes]

"""Many machines through Ray: an actor a GPU, or a group of cores, and a task a video.

Ray Data is not used: it works, fails and resumes by blocks of rows, and here a row is an hour of video.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from vidalign.batch.boundary import attempt
from vidalign.batch.engines.fleet import Fleet, WorkerLostError
from vidalign.batch.engines.sharing import SharedPipeline
from vidalign.batch.extract import Begin, Planned, clear_folders, extract_items
from vidalign.batch.extraction import Extraction
from vidalign.batch.failures import record_failure, state_of
from vidalign.batch.pipeline import Settings
from vidalign.batch.report import ItemResult
from vidalign.batch.rounds import check_room
from vidalign.batch.shards import Dealing
from vidalign.errors import ChildDiedError, MissingExtraError, UsageError, VidalignError
from vidalign.store.items import Item
from vidalign.store.records import failure_path

AT_ONCE = 4
"""Videos that an actor has under way, so that its model waits neither for reading nor for the driver."""
MOST_CPUS = {"cpu": 4, "gpu": 8}
"""Cores of an actor where `cpus` does not say how many."""

Videos = Sequence[Item]
"""The outputs of one video, one a plan."""


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


@dataclass(frozen=True)
class Orders:
    """What every actor is told once."""

    extractions: tuple[Extraction, ...]
    folder: Path
    environment: Mapping[str, str]
    overwrite: bool
    retry_failed: bool
    dry_run: bool
    dealing: Dealing | None
    settings: Settings | None


class Extractor:
    """What an actor is: it keeps the models, and writes what it makes of a video as a local run would."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._pipeline = SharedPipeline(orders.settings or Settings())

    def ready(self) -> VidalignError | None:
        """Whether this machine has what the work needs; the error that says what it lacks."""
        os.environ.update(self._orders.environment)
        try:
            os.chdir(self._orders.folder)
            for extraction in self._orders.extractions:
                extraction.check()
        except OSError as error:
            return UsageError(
                f"a worker on {os.uname().nodename} cannot enter {self._orders.folder}: {error.strerror}",
                hint="run from a folder that all nodes see",
            )
        except VidalignError as error:
            return error
        return None

    def extract(self, items: Videos) -> list[ItemResult] | VidalignError:
        """What became of each output of a video; an error is the whole run's."""
        orders = self._orders
        plan = [
            Planned(extraction, [item]) for extraction, item in zip(orders.extractions, items, strict=True)
        ]
        results: list[ItemResult] = []

        def work() -> None:
            made = extract_items(
                plan,
                overwrite=orders.overwrite,
                retry_failed=orders.retry_failed,
                dry_run=orders.dry_run,
                dealing=orders.dealing,
                tidy=False,
                settings=orders.settings,
                many=self._pipeline.extract_many,
            )
            for result in made:
                results.append(result)

        try:
            ended = attempt(work, items[0].source)
        except UsageError as error:
            return error
        return results if ended is None else [*results, *failed(items[len(results) :], ended)]

    def close(self) -> None:
        """End its threads and processes; those of an actor that is killed die with it."""
        self._pipeline.close()


def failed(items: Videos, error: VidalignError) -> list[ItemResult]:
    """The same failure for every output of a video."""
    return [ItemResult(item.name, "failed", str(item.source), error=error) for item in items]


def extract_on_ray(
    plan: Sequence[Planned],
    *,
    options: RayOptions,
    overwrite: bool = False,
    retry_failed: bool = False,
    dry_run: bool = False,
    dealing: Dealing | None = None,
    settings: Settings | None = None,
    progress: Begin | None = None,
) -> Generator[ItemResult, None, None]:
    """As `extract_items`, by the actors of a Ray cluster: $RAY_ADDRESS, that of this machine, or a new one.

    Sources and outputs must be where all nodes see them. What is done is on disk, so a driver that died is
    started again. Raises MissingExtraError without Ray, NoWorkerError where no node has room.
    """
    orders = Orders(
        tuple(planned.extraction for planned in plan),
        Path.cwd(),
        {name: value for name, value in os.environ.items() if name.startswith("VIDALIGN_")},
        overwrite,
        retry_failed,
        dry_run,
        dealing,
        settings,
    )
    videos = list(zip(*(planned.items for planned in plan), strict=True))
    if not dry_run:
        clear_folders(plan)
    try:
        with connected() as ray:
            fleet = Fleet(
                RayCluster(ray, orders, options),
                lambda items, error: _given_up(items, orders, error),
                at_once=AT_ONCE,
                patience=options.patience,
            )
            for items, results in fleet.answers(videos):
                if progress is not None and not dry_run:
                    _tell(progress, items, results)
                for result in results:
                    yield result
                    check_room(result.error)
    finally:
        if not dry_run:
            clear_folders(plan)


def _tell(progress: Begin, items: Videos, results: Sequence[ItemResult]) -> None:
    """Progress by whole videos: what an actor is in the middle of is not known here."""
    lengths = [result.details["duration"] for result in results if result.details.get("duration")]
    if lengths:
        progress(items[0])(lengths[0], lengths[0])


def _given_up(items: Videos, orders: Orders, lost: WorkerLostError) -> list[ItemResult]:
    """The failure of a video that its workers died of, recorded beside its outputs."""
    error = ChildDiedError(
        f"{items[0].source}: one worker after the other died of it, the last so: {lost.message}"
    )
    for item, extraction in zip(items, orders.extractions, strict=True):
        path, states = failure_path(item.output), (state_of(item.source),)
        record_failure(path, item.name, str(item.source), states, error, extraction.reader)
    return failed(items, error)


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


class RayCluster:
    """The cluster that this process has joined, as a fleet's."""

    def __init__(self, ray: Any, orders: Orders, options: RayOptions) -> None:
        self._ray, self._options = ray, options
        self._device = orders.extractions[0].device
        kind: Literal["cpu", "gpu"] = self._kind()
        self._gpus = options.gpus if options.gpus is not None else int(kind == "gpu")
        self._cpus = options.cpus or self._group(kind)
        self._orders = replace(orders, settings=replace(orders.settings or Settings(), cores=self._cpus))
        self._actor = ray.remote(Extractor)

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

    def ask(self, worker: Any, task: Videos) -> Any:
        """Give an actor a video."""
        return worker.extract.remote(task)

    def answered(self, tickets: Sequence[Any], seconds: float) -> list[Any]:
        """Those that are answered."""
        if not tickets:
            time.sleep(seconds)
            return []
        ready, _ = self._ray.wait(list(tickets), timeout=seconds, fetch_local=True)
        return list(ready)

    def collect(self, ticket: Any) -> list[ItemResult]:
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

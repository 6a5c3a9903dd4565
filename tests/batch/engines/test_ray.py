"""Ray as an engine: what its actors get, what it refuses, and a cluster that loses a node and a driver."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vidalign.backbones import registry
from vidalign.batch.engines import orders as orders_room
from vidalign.batch.engines.orders import ExtractOrders, Orders, Terms
from vidalign.batch.engines.ray import RayCluster, RayEngine, RayOptions, Worker, connected
from vidalign.batch.engines.registry import ENGINES, make_engine
from vidalign.batch.extract import Planned
from vidalign.batch.extraction import Dtype, Extraction
from vidalign.batch.pipeline import Settings
from vidalign.batch.report import ItemResult
from vidalign.cli.options import engine_options
from vidalign.errors import MissingExtraError, OutputMismatchError, StoreError, UsageError, VidalignError
from vidalign.store.atomic import _temporary_name
from vidalign.store.features import read_features, write_features
from vidalign.store.items import find_items
from vidalign.types import Features

ROOT = Path(__file__).parents[3]
CPU_NODES = [{"CPU": 8.0}, {"CPU": 6.0}, {}]
RAY = RayEngine(RayOptions())
GPU_NODES = [{"CPU": 64.0, "GPU": 4.0}, {"CPU": 16.0, "GPU": 2.0}, {"CPU": 8.0}]


def cluster(
    nodes: list[dict[str, float]], options: RayOptions | None = None, device: str = "auto"
) -> RayCluster[Any]:
    """On nodes that are only said to be there; one more is dead."""
    told = [{"Alive": True, "Resources": node} for node in nodes]
    ray = SimpleNamespace(
        nodes=lambda: [*told, {"Alive": False, "Resources": {"CPU": 100.0, "GPU": 8.0}}],
        remote=lambda kind: SimpleNamespace(
            options=lambda **needs: SimpleNamespace(remote=lambda orders: Actor(needs, orders))
        ),
    )
    orders = ExtractOrders(Terms(), (Extraction("mini", device=device),))
    return RayCluster(ray, orders, options or RayOptions())


class Actor:
    """What was asked for."""

    def __init__(self, needs: dict[str, Any], orders: Orders[Any]) -> None:
        self.needs, self.settings = needs, orders.terms.settings
        self.ready = SimpleNamespace(remote=lambda: "ticket")


@pytest.mark.parametrize(
    ("nodes", "options", "device", "places", "needs"),
    [
        (CPU_NODES, {}, "auto", 3, (4, 0)),
        (CPU_NODES, {"cpus": 2}, "cpu", 7, (2, 0)),
        (CPU_NODES, {"cpus": 2, "actors": 5}, "cpu", 5, (2, 0)),
        ([{"CPU": 1.0}, {"CPU": 1.0}], {}, "auto", 2, (1, 0)),
        (GPU_NODES, {}, "auto", 6, (8, 1)),
        (GPU_NODES, {"cpus": 16}, "cuda", 5, (16, 1)),
        (GPU_NODES, {"gpus": 2}, "auto", 3, (8, 2)),
        (GPU_NODES, {"gpus": 0, "cpus": 8}, "auto", 11, (8, 0)),
        (GPU_NODES, {}, "cpu", 22, (4, 0)),
        ([], {}, "auto", 0, (4, 0)),
    ],
)
def test_an_actor_a_gpu_or_a_group_of_cores(
    nodes: list[dict[str, float]], options: dict[str, int], device: str, places: int, needs: tuple[int, int]
) -> None:
    made = cluster(nodes, RayOptions.parse(options), device)
    assert made.places() == places
    actor, _ = made.hire()
    assert (actor.needs["num_cpus"], actor.needs["num_gpus"]) == needs
    assert actor.settings == Settings(cores=needs[0])


def test_a_gpu_by_number_is_not_for_many_machines() -> None:
    with pytest.raises(UsageError, match="a GPU of its own"):
        cluster(GPU_NODES, device="cuda:1")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"nodes": 3}, "no option 'nodes'"),
        ({"actors": 0}, "from 1"),
        ({"cpus": 1.5}, "from 1"),
        ({"gpus": "all"}, "from 0"),
        ({"patience": True}, "from 0"),
    ],
)
def test_options_that_there_are_not(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make_engine("ray", values)


def test_engines_by_name() -> None:
    assert make_engine("local", {}) is None
    with pytest.raises(UsageError, match="has no options"):
        make_engine("local", {"cpus": 2})
    assert make_engine("ray", {"cpus": 2, "patience": 1.5})
    option = engine_options(lambda: None).__click_params__[-1]  # type: ignore[attr-defined]
    assert tuple(option.type.choices) == ENGINES


def test_without_ray_the_pip_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError) as caught, connected():
        pass
    assert caught.value.hint == "pip install 'vidalign[ray]'"


def test_a_node_and_a_driver_are_lost_and_no_video() -> None:
    """The short form of `python -m tests.endurance.ray_nodes`; Ray stays out of this process."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.endurance.ray_nodes", "--short", "--videos", "12"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing lost" in done.stdout


def plan_for(*videos: Path) -> list[Planned]:
    """Two plans for the videos, which differ in the numbers' format."""
    kinds: tuple[Dtype, ...] = ("float16", "float32")
    return [
        Planned(Extraction("mini", device="cpu", dtype=kind), find_items(videos, Path(kind)))
        for kind in kinds
    ]


def test_what_becomes_of_good_bad_and_deadly_videos(near: Path, clip_file: Path) -> None:
    videos = [near / name for name in ("a.mp4", "bad.mp4", "deadly.mp4", "z.mp4")]
    for video in videos:
        video.write_bytes(clip_file.read_bytes() if video.stem != "bad" else b"no video")
    lengths: list[tuple[str, float, float | None]] = []
    results = list(
        RAY.extract(
            plan_for(*videos),
            settings=Settings(workers=0),
            progress=lambda item: lambda done, length: lengths.append((item.name, done, length)),
        )
    )
    ends = {(result.item, result.status) for result in results}
    assert ends == {("a.mp4", "done"), ("bad.mp4", "failed"), ("deadly.mp4", "failed"), ("z.mp4", "done")}
    assert len(results) == 8
    for kind in ("float16", "float32"):
        assert read_features(near / kind / "z.h5").features.dtype == kind
        record = json.loads((near / kind / "deadly.error.json").read_text("utf-8"))
        assert record["error"] == "ChildDiedError"
        assert "one worker after the other died of it, the last so: out of memory" in record["message"]
    assert sorted(lengths) == [("a.mp4", 3.0, 3.0), ("z.mp4", 3.0, 3.0)]


def test_again_nothing_is_to_do_and_dry_runs_do_nothing(near: Path, clip_file: Path) -> None:
    def statuses(dry_run: bool) -> list[str]:
        made = RAY.extract(plan_for(clip_file), dry_run=dry_run, settings=Settings(workers=0))
        return [result.status for result in made]

    assert statuses(True) == ["planned"] * 2
    assert not list(near.glob("float*"))
    assert statuses(False) == ["done"] * 2
    assert statuses(False) == ["skipped"] * 2


def test_a_full_disk_ends_the_run_and_what_was_written_counts(
    near: Path, clip_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, features: Features) -> None:
        if path.parent.name == "float32":
            raise StoreError(f"cannot write {path}: No space left on device", errno=errno.ENOSPC)
        write_features(path, features)

    monkeypatch.setattr("vidalign.store.features.write_features", full)
    videos = [Path(shutil.copy(clip_file, near / name)) for name in ("a.mp4", "b.mp4")]
    results: list[str] = []
    with pytest.raises(StoreError, match="its disk takes no more outputs"):
        for result in RAY.extract(plan_for(*videos), settings=Settings(workers=0)):
            results.append(result.status)
    assert results == ["done", "failed"]
    assert [path.name for path in near.glob("float*/*.h5")] == ["a.h5"]


def test_what_killed_processes_left_is_cleared_beside_the_run_file_too(near: Path, clip_file: Path) -> None:
    (near / "sub").mkdir()
    items = find_items([near / "sub" / "clip.mp4"], near / "out", root=near)
    shutil.copy(clip_file, items[0].source)
    left = [items[0].folder / ".run.json.tmp-", items[0].output.parent / ".clip.h5.tmp-"]
    assert left[0].parent != left[1].parent
    dead = _temporary_name("").partition("-")[2].replace(str(os.getpid()), "4194305")
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(path.name + dead).touch()
    plan = [Planned(Extraction("mini", device="cpu"), items)]
    list(RAY.extract(plan, settings=Settings(workers=0)))
    assert not list(near.rglob("*.tmp-*"))


def test_what_breaks_off_the_work_on_a_video_leaves_what_was_done_of_it(
    near: Path, clip_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = orders_room.extract_items

    def broken_off(*given: Any, **how: Any) -> Iterator[ItemResult]:
        yield next(iter(whole(*given, **how)))
        raise ZeroDivisionError

    monkeypatch.setattr(orders_room, "extract_items", broken_off)
    made = RAY.extract(plan_for(clip_file), settings=Settings(workers=0))
    assert [(result.status, result.item) for result in made] == [("done", "clip.mp4"), ("failed", "clip.mp4")]


def test_an_actor_that_fails_is_one_line() -> None:
    made = cluster(CPU_NODES)

    class TaskError(Exception):
        cause = ValueError("no\nluck")

    def get(ticket: object) -> None:
        raise TaskError

    made._ray.get, made._ray.exceptions = get, SimpleNamespace(RayTaskError=TaskError)
    with pytest.raises(VidalignError, match=r"^a worker failed: ValueError: no luck") as caught:
        made.collect("ticket")
    assert "VIDALIGN_DEBUG=1" in caught.value.hint


def test_what_is_wrong_for_all_ends_the_run(near: Path, clip_file: Path) -> None:
    item = find_items([clip_file], near / "out")
    with pytest.raises(UsageError, match="unknown model"):
        list(RAY.extract([Planned(Extraction("no-such"), item)]))
    list(RAY.extract(plan_for(clip_file)[:1], settings=Settings(workers=0)))
    other = [
        Planned(Extraction("mini", device="cpu", dtype="float32"), find_items([clip_file], Path("float16")))
    ]
    with pytest.raises(OutputMismatchError, match="dtype"):
        list(RAY.extract(other, settings=Settings(workers=0)))


def test_a_node_that_does_not_see_the_folder_says_so(tmp_path: Path) -> None:
    orders = ExtractOrders(Terms(folder=tmp_path / "elsewhere"), ())
    error = Worker(orders).ready()
    assert isinstance(error, UsageError)
    assert "cannot enter" in error.message
    assert "all nodes see" in error.hint


def test_a_worker_loads_a_network_once(near: Path, clip_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though every video brings the threads and the runtime of the folder anew."""
    loaded: list[str] = []
    load = registry.load_backbone

    def counted(name: str, *given: Any, **how: Any) -> registry.Backbone:
        loaded.append(name)
        return load(name, *given, **how)

    monkeypatch.setattr(registry, "load_backbone", counted)
    videos = [Path(shutil.copy(clip_file, near / f"{name}.mp4")) for name in "abc"]
    [plan, _] = plan_for(*videos)
    results = RAY.extract([plan], settings=Settings(workers=0, deterministic=True))
    assert [result.status for result in results] == ["done"] * 3
    assert loaded == ["mini"]

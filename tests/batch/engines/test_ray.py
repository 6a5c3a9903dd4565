"""Ray as an engine: what its actors get, what it refuses, and a cluster that loses a node and a driver."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vidalign.batch.engines.ray import Orders, RayCluster, RayOptions, connected
from vidalign.batch.engines.registry import ENGINES, make_engine
from vidalign.batch.extract import extract_items
from vidalign.batch.extraction import Extraction
from vidalign.cli.options import engine_option
from vidalign.errors import MissingExtraError, UsageError

ROOT = Path(__file__).parents[3]
CPU_NODES = [{"CPU": 8.0}, {"CPU": 6.0}, {}]
GPU_NODES = [{"CPU": 64.0, "GPU": 4.0}, {"CPU": 16.0, "GPU": 2.0}, {"CPU": 8.0}]


def cluster(
    nodes: list[dict[str, float]], options: RayOptions | None = None, device: str = "auto"
) -> RayCluster:
    """On nodes that are only said to be there; one more is dead."""
    told = [{"Alive": True, "Resources": node} for node in nodes]
    ray = SimpleNamespace(
        nodes=lambda: [*told, {"Alive": False, "Resources": {"CPU": 100.0, "GPU": 8.0}}],
        remote=lambda kind: SimpleNamespace(
            options=lambda **needs: SimpleNamespace(remote=lambda orders: Actor(needs))
        ),
    )
    orders = Orders((Extraction("mini", device=device),), Path(), {}, False, False, False, None, None)
    return RayCluster(ray, orders, options or RayOptions())


class Actor:
    """What was asked for."""

    def __init__(self, needs: dict[str, Any]) -> None:
        self.needs = needs
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
    assert make_engine("local", {}) is extract_items
    with pytest.raises(UsageError, match="has no options"):
        make_engine("local", {"cpus": 2})
    assert make_engine("ray", {"cpus": 2, "patience": 1.5})
    option = engine_option(lambda: None)
    assert tuple(option.__click_params__[0].type.choices) == ENGINES  # type: ignore[attr-defined]


def test_without_ray_the_pip_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError) as caught, connected():
        pass
    assert caught.value.hint == "pip install 'vidalign[ray]'"


def test_a_node_and_a_driver_are_lost_and_no_video() -> None:
    """The short form of `python -m tests.endurance.ray_nodes`; Ray stays out of this process."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.endurance.ray_nodes", "--videos", "10"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing lost" in done.stdout

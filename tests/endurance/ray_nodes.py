"""A Ray cluster whose node is killed in the middle, another joins, then the driver dies: nothing may be lost.

    python -m tests.endurance.ray_nodes [--videos 60] [--work DIR]

The outputs must be those of a run without Ray, byte for byte; the one file that is no video has its record.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.model_folders import backbone_folder
from tests.tiny import PROGRAM, draw_video

PATIENCE = 240.0
BAD = "film-003.mp4"


class Trial:
    """Videos in a folder, a small backbone, and runs of the program over them."""

    def __init__(self, work: Path, videos: int) -> None:
        self.work, self.films = work, work / "films"
        backbone_folder(work / "s3d")
        for number in range(videos):
            draw_video(self.films / f"film-{number:03}.mp4", 6.0 + number % 3, seed=number)
        (self.films / BAD).write_bytes(b"no video")
        os.environ |= {"VIDALIGN_CACHE": str(work / "cache"), "VIDALIGN_CONFIG_DIR": str(work / "config")}
        # Ray's actors are last in line, and get nothing where the machine is shared.
        os.environ |= {"OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0"}

    def start(self, out: str, *more: str) -> subprocess.Popen[bytes]:
        """One run, as a process."""
        line = ("extract", "films", "-o", out, "--backbone", "s3d", "--deterministic", "--json", *more)
        with (self.work / f"{out}.log").open("ab") as log:
            return subprocess.Popen(
                [*PROGRAM, *line], cwd=self.work, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL
            )

    def finish(self, process: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
        """The records of a run that must end with 1, as one file is bad."""
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 1, f"exit code {process.returncode}"
        return [json.loads(line) for line in said.splitlines()]

    def outputs(self, out: str) -> dict[str, bytes]:
        """The features files that are there."""
        return {path.name: path.read_bytes() for path in sorted((self.work / out).glob("*.h5"))}

    def wait_for(self, out: str, count: int) -> None:
        """Until so many outputs are there."""
        until(lambda: len(self.outputs(out)) >= count, f"{count} outputs in {out}")

    def check(self, out: str, wanted: dict[str, bytes]) -> None:
        """All outputs as they should be, the bad file recorded, nothing left over."""
        assert self.outputs(out) == wanted
        names = {path.name for path in (self.work / out).iterdir()} - set(wanted)
        assert names == {"run.json", Path(BAD).with_suffix(".error.json").name}, names


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something to hold."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"not within {PATIENCE:g} s: {what}"
        time.sleep(0.05)


def lose_a_node(trial: Trial, cluster: Any, wanted: dict[str, bytes]) -> None:
    """Kill the node that has the work: the one that joins does it again, each item is told of once."""
    node = cluster.add_node(num_cpus=1)
    run = trial.start("node", "--engine", "ray", "--engine-option", "cpus=1")
    trial.wait_for("node", 1)
    cluster.remove_node(node, allow_graceful=False)
    cluster.add_node(num_cpus=1)
    records = trial.finish(run)
    assert sorted(record["item"] for record in records) == sorted(path.name for path in trial.films.iterdir())
    assert [record["item"] for record in records if record["status"] == "failed"] == [BAD]
    trial.check("node", wanted)
    assert b"is done again" in (trial.work / "node.log").read_bytes()


def lose_the_driver(trial: Trial, wanted: dict[str, bytes]) -> None:
    """Kill the driver, start it again, stop it in order, start it again: what was finished is not touched."""
    for number in (signal.SIGKILL, signal.SIGTERM):
        run = trial.start("driver", "--engine", "ray", "--engine-option", "cpus=1")
        trial.wait_for("driver", len(trial.outputs("driver")) + 1)
        run.send_signal(number)
        run.communicate(timeout=PATIENCE)
        assert run.returncode == (143 if number == signal.SIGTERM else -number), run.returncode
    before = {path: path.stat().st_mtime_ns for path in (trial.work / "driver").glob("*.h5")}
    assert len(before) < len(wanted), "the driver was stopped too late"
    records = trial.finish(trial.start("driver", "--engine", "ray", "--engine-option", "cpus=1"))
    trial.check("driver", wanted)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert sum(record["status"] == "skipped" for record in records) >= len(before)


def run(work: Path, videos: int) -> None:
    """Both, on one cluster."""
    from ray.cluster_utils import Cluster

    trial = Trial(work, videos)
    trial.finish(trial.start("plain"))
    wanted = trial.outputs("plain")
    assert len(wanted) == videos - 1
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    os.environ["RAY_ADDRESS"] = cluster.address
    try:
        lose_a_node(trial, cluster, wanted)
        lose_the_driver(trial, wanted)
    finally:
        cluster.shutdown()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=int, default=60)
    parser.add_argument("--work", type=Path)
    told = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        run((told.work or Path(folder)).resolve(), told.videos)
    sys.stdout.write(
        f"{told.videos} videos, a node and a driver killed: nothing lost, {time.monotonic() - begun:.0f} s\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A Ray cluster whose node is killed in the middle, another joins, then the driver dies: nothing may be lost.

    python -m tests.endurance.ray_nodes [--videos 60] [--short] [--work DIR]

Both commands, one after the other. What they write must be what they write without Ray, byte for byte; the
one file that is no video has its record.
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

from tests.model_folders import aligner_folder, backbone_folder
from tests.tiny import PROGRAM, WORDS, draw_video, write_vtt
from vidalign.training.product import FeatureSource
from vidalign.weights.recipes import get_recipe

PATIENCE = 240.0
BAD = "film-003.mp4"
RAY = ("--engine", "ray", "--engine-option", "cpus=1")
COMMANDS = {
    "extract": ("--backbone", "s3d"),
    "align": ("--model", "tan", "--save-features", "{}/kept"),
}
"""With what each command is tried; {} is where a run writes."""


def draw(work: Path, videos: int) -> None:
    """Videos with subtitles in a folder, one of them no video, and small models."""
    backbone = backbone_folder(work / "s3d")
    aligner_folder(work / "tan", FeatureSource(backbone, get_recipe("mini-8fps"), copied=True))
    for number in range(videos):
        film = draw_video(work / "films" / f"film-{number:03}.mp4", 6.0 + number % 3, seed=number)
        write_vtt(film.with_suffix(".vtt"), *WORDS[: 3 + number % 5])
    (work / "films" / BAD).write_bytes(b"no video")
    os.environ |= {"VIDALIGN_CACHE": str(work / "cache"), "VIDALIGN_CONFIG_DIR": str(work / "config")}
    # Ray's actors are last in line, and get nothing where the machine is shared.
    os.environ |= {"OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0"}


class Trial:
    """Runs of one command over what was drawn; each writes below a folder of its own."""

    def __init__(self, work: Path, command: str) -> None:
        self.work, self.command = work, command

    def start(self, out: str, *more: str) -> subprocess.Popen[bytes]:
        """One run, as a process."""
        folder = f"{self.command}/{out}"
        how = [word.format(folder) for word in COMMANDS[self.command]]
        line = (self.command, "films", "-o", f"{folder}/made", *how, "--deterministic", "--json", *more)
        with (self.work / f"{self.command}-{out}.log").open("ab") as log:
            return subprocess.Popen(
                [*PROGRAM, *line], cwd=self.work, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL
            )

    def finish(self, process: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
        """The records of a run that must end with 1, as one file is bad."""
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 1, f"exit code {process.returncode}"
        return [json.loads(line) for line in said.splitlines()]

    def log(self, out: str) -> bytes:
        """What the runs of a folder told people."""
        return (self.work / f"{self.command}-{out}.log").read_bytes()

    def made(self, out: str) -> list[Path]:
        """The outputs that are there."""
        return sorted((self.work / self.command / out / "made").glob("*.h5"))

    def files(self, out: str) -> dict[str, bytes]:
        """All that was written, by its path."""
        folder = self.work / self.command / out
        paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}

    def wait_for(self, out: str, count: int) -> None:
        """Until so many outputs are there."""
        until(lambda: len(self.made(out)) >= count, f"{count} outputs of {self.command} in {out}")

    def check(self, out: str) -> None:
        """All that was written is as without Ray, records too, and nothing is left over."""
        wanted, found = self.files("plain"), self.files(out)
        assert found.keys() == wanted.keys(), found.keys() ^ wanted.keys()
        assert found == wanted, [name for name in wanted if found[name] != wanted[name]]


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something to hold."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"not within {PATIENCE:g} s: {what}"
        time.sleep(0.05)


def lose_a_node(trial: Trial, cluster: Any) -> None:
    """Kill the node that has the work: the one that joins does it again, each item is told of once."""
    node = cluster.add_node(num_cpus=1)
    run = trial.start("node", *RAY)
    trial.wait_for("node", 1)
    cluster.remove_node(node, allow_graceful=False)
    node = cluster.add_node(num_cpus=1)
    records = trial.finish(run)
    videos = sorted(path.name for path in (trial.work / "films").glob("*.mp4"))
    assert sorted(record["item"] for record in records) == videos
    assert [record["item"] for record in records if record["status"] == "failed"] == [BAD]
    trial.check("node")
    assert b"is done again" in trial.log("node")
    cluster.remove_node(node)


def lose_the_driver(trial: Trial, cluster: Any) -> None:
    """Kill the driver, start it again, stop it in order, start it again: what was finished is not touched.

    It is stopped when it has told of an item: outputs alone may be of the actors that its forerunner left.
    """
    node = cluster.add_node(num_cpus=1)
    for number in (signal.SIGKILL, signal.SIGTERM):
        run = trial.start("driver", *RAY)
        assert run.stdout is not None and run.stdout.readline()
        trial.wait_for("driver", len(trial.made("driver")) + 1)
        run.send_signal(number)
        run.communicate(timeout=PATIENCE)
        assert run.returncode == (143 if number == signal.SIGTERM else -number), run.returncode
    before = {path: path.stat().st_mtime_ns for path in trial.made("driver")}
    assert len(before) < len(trial.made("plain")), "the driver was stopped too late"
    records = trial.finish(trial.start("driver", *RAY))
    trial.check("driver")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert sum(record["status"] == "skipped" for record in records) >= len(before)
    cluster.remove_node(node)


def run(work: Path, videos: int, *, short: bool) -> None:
    """All on one cluster; `short`: one command loses a node, the other its driver."""
    from ray.cluster_utils import Cluster

    draw(work, videos)
    trials = [Trial(work, command) for command in COMMANDS]
    for trial, process in [(trial, trial.start("plain")) for trial in trials]:
        trial.finish(process)
        assert len(trial.made("plain")) == videos - 1
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    os.environ["RAY_ADDRESS"] = cluster.address
    try:
        for trial in trials[1:] if short else trials:
            lose_a_node(trial, cluster)
        for trial in trials[:1] if short else trials:
            lose_the_driver(trial, cluster)
    finally:
        cluster.shutdown()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=int, default=60)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--short", action="store_true")
    told = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        run((told.work or Path(folder)).resolve(), told.videos, short=told.short)
    sys.stdout.write(
        f"{told.videos} videos, a node and a driver killed: nothing lost, {time.monotonic() - begun:.0f} s\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A folder of videos, some of them hostile, worked on by processes that are killed again and again.

    python -m tests.endurance.soak [--videos 300] [--kills 20] [--processes 2] [--seed 0] [--work DIR]

In the end the outputs are those of an undisturbed run, byte for byte with --deterministic, within one unit of
float16 without; every hostile file has its record or a partial output; no temporary file is left, no process
either; the memory of a long run does not grow.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.endurance.hostile import HOSTILE
from tests.model_folders import backbone_folder
from tests.tiny import PROGRAM, draw_video
from vidalign.store.features import read_features

HOSTILE_SHARE = 0.05
TIMEOUT = 20
"""Seconds for the reading of one video, of which all need less but those with endless gaps."""
PATIENCE = 900.0
MAY_PASS = "one-frame"
"""A single picture is a clip where the recipe repeats what is missing."""
GROWTH = 48 << 20
"""Bytes by which the memory of a run may differ between its second quarter and its last."""


@dataclass(slots=True)
class Soak:
    """The folders of one trial."""

    work: Path
    videos: int
    seed: int = 0
    timeout: int = TIMEOUT
    hostile: set[str] = field(default_factory=set)

    @property
    def films(self) -> Path:
        """The inputs."""
        return self.work / "films"

    def draw(self) -> None:
        """Good videos of one to four seconds, and among them each kind of hostile one."""
        self.films.mkdir(parents=True)
        backbone_folder(self.work / "s3d")
        bad = max(len(HOSTILE), round(self.videos * HOSTILE_SHARE))
        kinds = list(HOSTILE.items())
        for number in range(bad):
            kind, make = kinds[number % len(kinds)]
            name = f"{(number * self.videos) // bad:04}-{kind}"
            make(self.films / name, number)
            self.hostile.add(name)
        for number in range(self.videos - bad):
            draw_video(self.films / f"{number:04}-good.mp4", 1.0 + number % 4, seed=self.seed + number)

    def start(self, out: str, *more: str, heard: bool = False) -> subprocess.Popen[bytes]:
        """One run into the folder `out`; `heard`: its lines can be read."""
        line = ("extract", "films", "-o", out, "--backbone", "s3d", "--json")
        settings = {
            **{"VIDALIGN_CACHE": str(self.work / "cache"), "VIDALIGN_CONFIG_DIR": str(self.work / "config")},
            **{"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"},
        }
        with (self.work / f"{out}.stderr").open("ab") as stderr:
            return subprocess.Popen(
                [*PROGRAM, *line, "--timeout", str(self.timeout), *more],
                cwd=self.work,
                env={**os.environ, **settings},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if heard else subprocess.DEVNULL,
                stderr=stderr,
            )

    def ended(self, out: str) -> int:
        """Items that have an output or a record."""
        folder = self.work / out
        return sum(1 for _ in folder.glob("*.h5")) + sum(1 for _ in folder.glob("*.error.json"))

    def outputs(self, out: str) -> dict[str, Path]:
        """The features files of a run by name."""
        return {path.name: path for path in sorted((self.work / out).glob("*.h5"))}


def calm(soak: Soak, out: str, *more: str) -> list[int]:
    """A run that nobody disturbs; gives the bytes that it and its largest child held after each item."""
    process = soak.start(out, *more, heard=True)
    assert process.stdout is not None
    with process.stdout as lines:
        held = [_bytes_held(process.pid) for _ in lines]
    assert process.wait(PATIENCE) == 1, f"exit code {process.returncode}, see {out}.stderr"
    return held


def disturbed(soak: Soak, out: str, kills: int, processes: int, *more: str) -> None:
    """Runs side by side of which one, or what reads for it, is killed `kills` times, and a last one."""
    rng = random.Random(soak.seed)
    running = [soak.start(out, *more) for _ in range(processes)]
    for number in range(kills):
        wanted = soak.videos * number // (kills + 1)
        _wait_until_ended(soak, out, wanted, running)
        time.sleep(rng.random())
        victim = running.pop(rng.randrange(len(running)))
        children = _children(victim.pid)
        if children and rng.random() < 0.25:
            os.kill(rng.choice(children), signal.SIGKILL)
            running.append(victim)
            continue
        victim.kill()
        victim.communicate()
        _check_gone(children)
        running.append(soak.start(out, *more))
    for process in [*running, soak.start(out, *more)]:
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, f"exit code {process.returncode}, see {out}.stderr"


def check_folder(soak: Soak, out: str) -> None:
    """Every hostile file has an end, every good one an output, and nothing else lies there."""
    names = {path.name for path in (soak.work / out).iterdir()}
    for film in sorted(path.name for path in soak.films.iterdir()):
        output, record = Path(film).with_suffix(".h5").name, Path(film).with_suffix(".error.json").name
        found = names & {output, record}
        assert len(found) == 1, f"{film}: {found or 'neither output nor record'}"
        if film in soak.hostile and output in found and MAY_PASS not in film:
            assert read_features(soak.work / out / output).truncated, f"{film} passed for a good one"
        assert film in soak.hostile or output in found, f"{film}: {_told(soak.work / out / record)}"
        names -= found
    assert names == {"run.json"}, f"left over: {sorted(names - {'run.json'})}"


def check_same_bytes(soak: Soak, one: str, other: str) -> None:
    """The features files of two runs are the same."""
    first, second = soak.outputs(one), soak.outputs(other)
    assert first.keys() == second.keys()
    differing = [name for name in first if first[name].read_bytes() != second[name].read_bytes()]
    assert not differing, f"{len(differing)} outputs differ: {differing[:5]}"


def check_close(soak: Soak, one: str, other: str) -> float:
    """Values differ by one unit of float16 at most, times not at all; gives the share that differs."""
    differing = values = 0
    for name, path in soak.outputs(one).items():
        mine, theirs = read_features(path), read_features(soak.outputs(other)[name])
        np.testing.assert_array_equal(mine.times, theirs.times)
        unit = np.spacing(np.maximum(np.abs(mine.features), np.abs(theirs.features)))
        apart = np.abs(mine.features.astype(np.float64) - theirs.features.astype(np.float64))
        assert (apart <= unit.astype(np.float64)).all(), f"{name}: {apart.max():g} apart"
        differing, values = differing + int((apart > 0).sum()), values + apart.size
    return differing / max(1, values)


def check_memory(held: list[int]) -> int:
    """The bytes by which the last quarter's median is above the second's, which must not be many."""
    quarter = len(held) // 4
    growth = int(statistics.median(held[-quarter:]) - statistics.median(held[quarter : 2 * quarter]))
    assert growth < GROWTH, f"memory grew by {growth / 2**20:.0f} MiB over half of the run"
    return growth


def _wait_until_ended(soak: Soak, out: str, wanted: int, running: list[subprocess.Popen[bytes]]) -> None:
    until = time.monotonic() + PATIENCE
    while soak.ended(out) < wanted and any(process.poll() is None for process in running):
        assert time.monotonic() < until, f"{soak.ended(out)} of {wanted} items after {PATIENCE:g} s"
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    """Processes that a process has started."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except OSError:
            continue
    return found


def _bytes_held(pid: int) -> int:
    """Memory in use by a process and the largest of its children, of which there are not always as many."""
    return _resident(pid) + max(map(_resident, _children(pid)), default=0)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _check_gone(children: list[int]) -> None:
    """A killed process takes what it started along."""
    until = time.monotonic() + 20
    while left := [child for child in children if _is_working(child)]:
        assert time.monotonic() < until, f"still there: {left}"
        time.sleep(0.05)


def _is_working(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def _told(record: Path) -> str:
    return str(json.loads(record.read_text()).get("message")) if record.is_file() else "no record"


def run(soak: Soak, kills: int, loose: int, processes: int) -> list[str]:
    """The whole trial; gives lines on what was seen. Raises AssertionError.

    `kills` with --deterministic, `loose` without.
    """
    videos = soak.videos
    soak.draw()
    held = calm(soak, "calm", "--deterministic")
    check_folder(soak, "calm")
    said = [f"{videos} videos, {len(soak.hostile)} of them hostile: {len(soak.outputs('calm'))} outputs"]
    if videos >= 100:
        said.append(f"memory over half of the run: {check_memory(held) / 2**20:+.1f} MiB")
    disturbed(soak, "killed", kills, processes, "--deterministic")
    check_folder(soak, "killed")
    check_same_bytes(soak, "calm", "killed")
    said.append(f"after {kills} kills: byte for byte the same")
    disturbed(soak, "loose", loose, processes)
    check_folder(soak, "loose")
    share = check_close(soak, "calm", "loose")
    said.append(f"without --deterministic, after {loose} kills: {share:.2%} of values one unit apart")
    return said


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.endurance.soak")
    parser.add_argument("--videos", type=int, default=300)
    parser.add_argument("--kills", type=int, default=20, help="in each of the two disturbed runs")
    parser.add_argument("--processes", type=int, default=2, help="runs side by side")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="folder that is kept")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vidalign-soak-") as folder:
        began = time.monotonic()
        work = (args.work or Path(folder)).absolute()
        soak = Soak(work, args.videos, args.seed)
        for line in run(soak, args.kills, args.kills, args.processes):
            print(line)  # noqa: T201
        print(f"{time.monotonic() - began:.0f} s")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""SLURM's programs, as far as an array of jobs needs them; all tasks start at once, on this machine."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

SBATCH = """
import os, re, shlex, subprocess, sys

words = sys.argv[1:]
flags = []
while words and words[0].startswith("--"):
    flags.append(words.pop(0))
script, *arguments = words
lines = open(script).read().splitlines()
flags = [" ".join(shlex.split(line)[1:]) for line in lines if line.startswith("#SBATCH")] + flags
options = dict(flag.removeprefix("--").partition("=")[::2] for flag in flags)
work = os.environ["FAKE_SLURM"]
open(work + "/options", "w").write("\\n".join(flags))
numbers, step = [0], 1
if "array" in options:
    numbers = []
    for part in options["array"].partition("%")[0].split(","):
        first, last, step = map(int, re.fullmatch(r"(\\d+)(?:-(\\d+))?(?::(\\d+))?", part).groups("0"))
        step = step or 1
        numbers += range(first, max(first, last) + 1, step)
for number in numbers:
    told = {"SLURM_JOB_ID": str(7000 + number), "SLURM_NTASKS": "1", "SLURM_CPUS_PER_TASK": "1"}
    if "array" in options:
        told |= {"SLURM_ARRAY_JOB_ID": "7000"}
        values = {"ID": number, "MIN": min(numbers), "MAX": max(numbers), "STEP": step, "COUNT": len(numbers)}
        told |= {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()}
    then = f'bash "$@"; echo $? > {work}/.{number}; mv {work}/.{number} {work}/{number}.code'
    task = ["bash", "-c", then, "bash", script, *arguments]
    subprocess.Popen(task, env=os.environ | told, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print("Submitted batch job 7000")
"""
SRUN = """
import os, sys

words = sys.argv[1:]
output = None
while words[0].startswith("-"):
    flag = words.pop(0)
    if flag in ("--output", "--error"):
        path = words.pop(0)
        for mark, name in (("%A", "ARRAY_JOB_ID"), ("%a", "ARRAY_TASK_ID"), ("%j", "JOB_ID")):
            path = path.replace(mark, os.environ.get("SLURM_" + name, ""))
        handle = os.open(path.replace("%t", "0"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, 1 if flag == "--output" else 2)
os.execvp(words[0], words)
"""
VIDALIGN = "from vidalign.cli.main import run; run()"


class Slurm:
    """What was handed in, and what became of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def options(self) -> list[str]:
        """The flags of the last `sbatch` and its script."""
        return (self._folder / "options").read_text("utf-8").splitlines()

    def codes(self, tasks: Sequence[int], seconds: float = 120) -> list[int]:
        """The exit codes of these tasks, waited for."""
        paths = [self._folder / f"{task}.code" for task in tasks]
        end = time.monotonic() + seconds
        while not all(path.exists() for path in paths):
            assert time.monotonic() < end, f"tasks that did not end: {paths}"
            time.sleep(0.1)
        return [int(path.read_text("utf-8")) for path in paths]

    def forget(self) -> None:
        """What the tasks handed in until now ended with."""
        for path in self._folder.glob("*.code"):
            path.unlink()


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Slurm:
    """Puts `sbatch`, `srun` and `vidalign` on the path."""
    folder, programs = tmp_path / "slurm", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    for name, text in (("sbatch", SBATCH), ("srun", SRUN), ("vidalign", VIDALIGN)):
        program = programs / name
        program.write_text(f"#!{sys.executable}\n{text}", "utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM", str(folder))
    return Slurm(folder)

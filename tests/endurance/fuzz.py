"""Broken files by the thousand: `python -m tests.endurance.fuzz [--count 20000] [--seed 0] [--kind NAME]`.

Each input must end fine or in one line of error: no crash, no hang, nothing unforeseen, nothing written
outside of the output folder, no memory beyond the limit. Findings are kept in `--keep DIR`. Exit code 1 where
there was one.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.endurance.kinds import KINDS, shares

PATIENCE = 240
"""Seconds of silence after which a worker hangs, where its own alarm does not reach."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One input that ended as none may; `python -m tests.endurance.worker` with its number shows it again."""

    kind: str
    number: int
    what: str


@dataclass(slots=True)
class Tally:
    """What became of the inputs of one kind."""

    kind: str
    ends: Counter[str]
    findings: list[Finding]
    seconds: float = 0.0

    def __str__(self) -> str:
        ends = ", ".join(f"{self.ends[end]} {end}" for end in ("fine", "refused", "finding"))
        return f"{self.kind}: {sum(self.ends.values())} inputs, {ends}, {self.seconds:.0f} s"


def fuzz(kind: str, count: int, seed: int, work: Path, keep: Path | None = None, first: int = 0) -> Tally:
    """Try `count` inputs of one kind; a worker that dies or falls silent is one finding and is replaced."""
    tally = Tally(kind, Counter(), [])
    began, number = time.monotonic(), first
    sandbox = work / kind
    while number < first + count:
        for line in _worked(kind, number, first + count, seed, sandbox):
            record = json.loads(line)
            number = record["number"] + 1
            tally.ends[record["outcome"]] += 1
            if record["outcome"] == "finding":
                _note(tally, record["number"], record["what"])
        if number < first + count:
            tally.ends["finding"] += 1
            _note(tally, number, _last_words(sandbox))
            shutil.copytree(sandbox / "in", sandbox / "kept" / str(number), dirs_exist_ok=True)
            number += 1
    if keep is not None and tally.findings:
        shutil.copytree(sandbox / "kept", keep / kind, dirs_exist_ok=True)
    tally.seconds = time.monotonic() - began
    return tally


def _worked(kind: str, first: int, last: int, seed: int, sandbox: Path) -> Iterator[str]:
    """The lines of a worker over those inputs, until it ends, dies or hangs."""
    sandbox.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.endurance.worker", kind, *map(str, (first, last, seed, sandbox))]
    settings = {"VIDALIGN_CONFIG_DIR": str(sandbox / "settings"), "VIDALIGN_CACHE": str(sandbox / "settings")}
    quiet = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "VIDALIGN_OFFLINE": "1"}
    with (sandbox.parent / f"{kind}.stderr").open("wb") as stderr:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**os.environ, **settings, **quiet},
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            yield from _lines(process.stdout.fileno())
        finally:
            if process.poll() is None:
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
            process.stdout.close()
            (sandbox.parent / f"{kind}.code").write_text(str(code))


def _lines(source: int) -> Iterator[str]:
    held = b""
    while select.select([source], [], [], PATIENCE)[0]:
        data = os.read(source, 1 << 16)
        if not data:
            return
        *whole, held = (held + data).split(b"\n")
        yield from (line.decode() for line in whole)


def _last_words(sandbox: Path) -> str:
    code = (sandbox.parent / f"{sandbox.name}.code").read_text()
    said = (sandbox.parent / f"{sandbox.name}.stderr").read_text(errors="replace").strip()[-800:]
    return f"the process died or hung (exit {code}): {said}"


def _note(tally: Tally, number: int, what: str) -> None:
    tally.findings.append(Finding(tally.kind, number, what))
    print(f"{tally.kind} {number}: {what}", file=sys.stderr, flush=True)  # noqa: T201


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.endurance.fuzz")
    parser.add_argument("--count", type=int, default=20_000, help="inputs in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=KINDS, help="by default all")
    parser.add_argument("--first", type=int, default=0, help="number of the first input of each kind")
    parser.add_argument("--keep", type=Path, help="folder for the inputs that were findings")
    parser.add_argument("--jobs", type=int, default=1, help="kinds that are tried side by side")
    args = parser.parse_args(argv)
    dealt = shares(args.count, args.kind or list(KINDS))
    with tempfile.TemporaryDirectory(prefix="vidalign-fuzz-") as work, ThreadPoolExecutor(args.jobs) as pool:
        given = [
            pool.submit(fuzz, kind, count, args.seed, Path(work), args.keep, args.first)
            for kind, count in dealt.items()
        ]
        tallies = []
        for future in given:
            tallies.append(future.result())
            print(tallies[-1], flush=True)  # noqa: T201
    found = sum(len(tally.findings) for tally in tallies)
    print(f"{sum(sum(t.ends.values()) for t in tallies)} inputs, {found} findings")  # noqa: T201
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())

"""How much longer `vidalign --help` takes than `python -c "import click"`; the goal is at most 2.5 times."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

GOAL = 2.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40, help="runs of each, alternating")
    runs = parser.parse_args().runs
    ours = [str(Path(sys.executable).with_name("vidalign")), "--help"]
    theirs = [sys.executable, "-c", "import click"]
    for command in (ours, theirs):
        cost(command)
    pairs = [(cost(ours), cost(theirs)) for _ in range(runs)]
    ratios = []
    for index, name in enumerate(("wall", "CPU")):
        help_ms, click_ms = (1000 * statistics.median(pair[who][index] for pair in pairs) for who in (0, 1))
        ratios.append(help_ms / click_ms)
        times = f"vidalign --help {help_ms:.1f} ms, import click {click_ms:.1f} ms"
        print(f"{name}: {times}, ratio {ratios[-1]:.2f}")
    print(f"goal {GOAL}: {'met' if max(ratios) <= GOAL else 'missed'}")
    return int(max(ratios) > GOAL)


def cost(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of one run."""
    before = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return time.perf_counter() - before, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())

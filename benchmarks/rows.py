"""What the tables of trained models share: rows that are found again by a hash, and how they are made.

The tables are run from the checkout's root: `python -m benchmarks.tan_table.table --work DIR`.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

PROGRAM = Path(sysconfig.get_path("scripts")) / "vidalign"


def key_of(known: Mapping[str, Any]) -> str:
    """A hash of all that a row depends on."""
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """The rows made so far."""
    rows = folder / "rows.jsonl"
    return [json.loads(line) for line in rows.read_text("utf-8").splitlines()] if rows.exists() else []


def add_row(folder: Path, row: Mapping[str, Any]) -> None:
    """Keep a finished row."""
    with (folder / "rows.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def vidalign(*arguments: str, threads: int | None = None) -> str:
    """What a command line prints; ends the program where it fails."""
    alone = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [PROGRAM, *arguments], capture_output=True, text=True, check=False, env={**os.environ, **alone}
    )
    if done.returncode:
        sys.exit(f"vidalign {' '.join(arguments)}\n{done.stderr}")
    return done.stdout


def commit() -> str:
    """The checkout's."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Mean and standard deviation."""
    if not values:
        return ""
    deviation = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{deviation}"

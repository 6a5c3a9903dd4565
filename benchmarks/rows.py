"""What the tables of trained models share: rows that are found again by a hash, and how they are made.

The tables are run from the checkout's root: `python -m benchmarks.tan_table.table --work DIR`. Finished rows
are kept in rows.jsonl, and a training that was stopped goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Protocol, TypeVar

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


class RowLike(Protocol):
    """What a row is known by."""

    def key(self) -> str:
        """A hash of everything that the row depends on."""
        ...

    def told(self) -> Mapping[str, Any]:
        """Its place in the table, by which rows can be chosen: method, level, seed."""
        ...


Row = TypeVar("Row", bound=RowLike)


def run_table(
    folder: Path,
    about: str,
    rows: Sequence[Row],
    make_row: Callable[[Row, Path], Mapping[str, Any]],
    draw_table: Callable[[list[dict[str, Any]]], str],
    checked: tuple[str, float],
) -> int:
    """The program of a table: make the rows asked for that are not there yet, then draw table.md.

    `make_row` gives what was measured in a working folder, whatever the row is known by left out. With
    --check a row is made again, and its number `checked[0]` must lie within `checked[1]` of the kept one.
    """
    given = _parse(about, rows)
    kept = {row["key"]: row for row in read_rows(folder)}
    wrong = False
    for row in rows:
        if not all(value in (given[name] or [value]) for name, value in row.told().items()):
            continue
        if given["check"] or row.key() not in kept:
            found = make_row(row, given["work"])
            made = {"key": row.key(), **row.told(), **found, "commit": commit()}
            print(json.dumps(made), flush=True)
            if given["check"]:
                wrong |= _differs(made, kept.get(row.key()), *checked)
            else:
                add_row(folder, made)
    if not given["check"]:
        (folder / "table.md").write_text(draw_table(read_rows(folder)), "utf-8")
    return int(wrong)


def _parse(about: str, rows: Sequence[RowLike]) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for worlds, features and trainings")
    parser.add_argument("--check", action="store_true", help="make again and compare, writing nothing")
    for name in rows[0].told():
        values = list(dict.fromkeys(row.told()[name] for row in rows))
        parser.add_argument(
            f"--{name}", action="append", type=type(values[0]), choices=values, help="may be repeated"
        )
    return vars(parser.parse_args())


def _differs(made: Mapping[str, Any], kept: Mapping[str, Any] | None, name: str, tolerance: float) -> bool:
    if kept is None:
        print("there is no committed row of this configuration")
        return True
    print(f"{name} {made[name]:.3f}, committed {kept[name]:.3f}")
    return bool(abs(made[name] - kept[name]) > tolerance)


def train(config: Path, folder: Path, settings: Mapping[str, Any], threads: int | None = None) -> Path:
    """The model folder that `vidalign train` makes of a configuration with these settings, on the CPU."""
    options = [f"--set={key}={json.dumps(value)}" for key, value in settings.items()]
    vidalign("train", str(config), "-o", str(folder), "-q", "--device", "cpu", *options, threads=threads)
    return folder / "model"


def synth(folder: Path, *options: str) -> Path:
    """A synthetic world, drawn where it is not there."""
    if not (folder / "world.yaml").exists():
        vidalign("synth", "-o", str(folder), *options, "--overwrite", "-q")
    return folder


def vidalign(*arguments: str, threads: int | None = None) -> str:
    """What a command line prints; ends the program where it fails."""
    alone = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [PROGRAM, *arguments], capture_output=True, text=True, check=False, env={**os.environ, **alone}
    )
    if done.returncode:
        sys.exit(f"vidalign {' '.join(arguments)}\n{done.stderr}")
    return done.stdout


def processor_seconds() -> float:
    """What the programs that were run have used so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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

"""TAM against TSN and a temporal shift: `python benchmarks/tam_table/tam_table.py --work DIR`.

A row is one method and seed. What a row needs is made once, and found again by a hash of all that it depends
on; a training that was stopped goes on. Finished rows are added to rows.jsonl, and table.md is drawn from
them. `--method NAME --seed N --check` makes one row and compares it with the kept one.
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
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tam_world
import yaml
from tam_draw import draw_table
from tam_methods import METHODS, Method

from vidalign.store.features import read_features
from vidalign.types import Recipe
from vidalign.weights.recipes import get_recipe

HERE = Path(__file__).parent
ROWS = HERE / "rows.jsonl"
PROGRAM = Path(sysconfig.get_path("scripts")) / "vidalign"
SEEDS = (0, 1, 2)
WORLDS = {"training": (640, 7000), "test": (400, 8000)}
"""Videos and seed of each."""
TOLERANCE = 0.05
"""How far the accuracy of a row that is made again may lie from the committed one."""


@dataclass(frozen=True)
class Row:
    """One line of the table's making."""

    method: Method
    seed: int

    def key(self) -> str:
        """A hash of everything that the row depends on."""
        world = ("DIRECTIONS", "SIZE", "FRAMES", "FPS", "BLOCKS", "SPEEDS")
        known: dict[str, Any] = {
            "temporal": self.method.temporal,
            "seed": self.seed,
            "worlds": WORLDS,
            "world": [getattr(tam_world, name) for name in world],
            **{
                name: yaml.safe_load((HERE / f"{name}.yaml").read_text("utf-8")) for name in ("tam", "recipe")
            },
        }
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def main() -> int:
    """Make the rows asked for that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for videos, scores and trainings")
    parser.add_argument("--method", action="append", help="only this method (may be repeated)")
    parser.add_argument("--seed", action="append", type=int, choices=SEEDS)
    parser.add_argument("--check", action="store_true", help="make again and compare, writing nothing")
    given = parser.parse_args()
    methods = [m for m in METHODS if given.method is None or m.name in given.method]
    kept = {row["key"]: row for row in _read_rows()}
    wrong = 0
    for row in rows_of(methods, given.seed or SEEDS):
        if given.check or row.key() not in kept:
            made = make_row(row, given.work)
            print(json.dumps(made), flush=True)
            if given.check:
                wrong += _differs(made, kept.get(row.key()))
            else:
                _add_row(made)
    if not given.check:
        (HERE / "table.md").write_text(draw_table(_read_rows()), "utf-8")
    return min(wrong, 1)


def rows_of(methods: tuple[Method, ...] | list[Method], seeds: tuple[int, ...] | list[int]) -> list[Row]:
    """Every method with every seed; what is not trained has one row."""
    return [Row(m, seed) for seed in seeds for m in methods if m.temporal or seed == SEEDS[0]]


def make_row(row: Row, work: Path) -> dict[str, Any]:
    """Train, extract the scores of the test videos, and count; `seconds` are the processor's."""
    classes = len(tam_world.DIRECTIONS)
    found = {"accuracy": 1 / classes, "axis": 2 / classes, "sense": 0.5}
    started = _processor_seconds()
    if row.method.temporal:
        for split, (videos, seed) in WORLDS.items():
            tam_world.make_world(work / split, videos, seed)
        started = _processor_seconds()
        found = measure(*_scores(_train(row, work), work))
    return {
        "key": row.key(),
        "method": row.method.name,
        "seed": row.seed,
        **{name: round(value, 4) for name, value in found.items()},
        "seconds": round(_processor_seconds() - started),
        "commit": _commit(),
    }


def measure(scores: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> dict[str, float]:
    """Shares of scores (N, 8) in the order of DIRECTIONS whose largest is the truth, or on its axis.

    `sense`: of those on the right axis, the share that is right.
    """
    best, half = scores.argmax(axis=1), len(tam_world.DIRECTIONS) // 2
    right, axis = best == truth, best % half == truth % half
    return {
        "accuracy": float(right.mean()),
        "axis": float(axis.mean()),
        "sense": float(right[axis].mean()) if axis.any() else 0.5,
    }


def _train(row: Row, work: Path) -> Path:
    folder = work / "runs" / row.key()
    settings: dict[str, Any] = {
        "seed": row.seed,
        "recipe": str(HERE / "recipe.yaml"),
        "network.temporal": row.method.temporal,
        "data.training.videos": str(work / "training"),
        "data.cache": str(work / "frames"),
    }
    options = [f"--set={key}={json.dumps(value)}" for key, value in settings.items()]
    _vidalign("train", str(HERE / "tam.yaml"), "-o", str(folder), "-q", "--device", "cpu", *options)
    return folder / "model"


def _scores(model: Path, work: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Scores (N, 8) of the test videos by the model folder, and the indices of their directions."""
    recipe = work / "scores.yaml"
    scores: Recipe = replace(get_recipe(HERE / "recipe.yaml"), name="scores", layer="logits")
    values = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(scores).items()}
    recipe.write_text(yaml.safe_dump(values), "utf-8")
    folder = model.parent / "scores"
    given = ("--backbone", str(model), "--recipe", str(recipe), "--dtype", "float32", "--device", "cpu")
    _vidalign("extract", str(work / "test"), "-o", str(folder), "-q", *given)
    names = list(tam_world.DIRECTIONS)
    files = sorted(folder.glob("*/*.h5"))
    order = [sorted(names).index(name) for name in names]
    found = np.concatenate([read_features(path).features for path in files])[:, order]
    return found, np.array([names.index(path.parent.name) for path in files])


def _vidalign(*arguments: str) -> None:
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False, env=alone)
    if done.returncode:
        sys.exit(f"vidalign {' '.join(arguments)}\n{done.stderr}")


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _commit() -> str:
    command = ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _read_rows() -> list[dict[str, Any]]:
    if not ROWS.exists():
        return []
    return [json.loads(line) for line in ROWS.read_text("utf-8").splitlines()]


def _add_row(row: Mapping[str, Any]) -> None:
    with ROWS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _differs(made: Mapping[str, Any], committed: Mapping[str, Any] | None) -> bool:
    if committed is None:
        print(f"{made['method']}, seed {made['seed']}: no committed row of this configuration")
        return True
    print(f"accuracy {made['accuracy']:.3f}, committed {committed['accuracy']:.3f}")
    return abs(made["accuracy"] - committed["accuracy"]) > TOLERANCE


if __name__ == "__main__":
    sys.exit(main())

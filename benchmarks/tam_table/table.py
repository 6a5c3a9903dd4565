"""TAM against TSN and a temporal shift: `python -m benchmarks.tam_table.table --work DIR`.

A row is one method and seed. What a row needs is made once, and found again by a hash of all that it depends
on; a training that was stopped goes on. Finished rows are added to rows.jsonl, and table.md is drawn from
them. `--method NAME --seed N --check` makes one row and compares it with the kept one.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.rows import add_row, commit, key_of, read_rows, vidalign
from benchmarks.tam_table import world
from benchmarks.tam_table.draw import draw_table
from benchmarks.tam_table.methods import METHODS, Method
from vidalign.store.features import read_features
from vidalign.types import Recipe
from vidalign.weights.recipes import get_recipe

HERE = Path(__file__).parent
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
        names = ("DIRECTIONS", "SIZE", "FRAMES", "FPS", "BLOCKS", "SPEEDS")
        known: dict[str, Any] = {
            "temporal": self.method.temporal,
            "seed": self.seed,
            "worlds": WORLDS,
            "world": [getattr(world, name) for name in names],
            **{
                name: yaml.safe_load((HERE / f"{name}.yaml").read_text("utf-8")) for name in ("tam", "recipe")
            },
        }
        return key_of(known)


def main() -> int:
    """Make the rows asked for that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for videos, scores and trainings")
    parser.add_argument("--method", action="append", help="only this method (may be repeated)")
    parser.add_argument("--seed", action="append", type=int, choices=SEEDS)
    parser.add_argument("--check", action="store_true", help="make again and compare, writing nothing")
    given = parser.parse_args()
    methods = [m for m in METHODS if given.method is None or m.name in given.method]
    kept = {row["key"]: row for row in read_rows(HERE)}
    wrong = 0
    for row in rows_of(methods, given.seed or SEEDS):
        if given.check or row.key() not in kept:
            made = make_row(row, given.work)
            print(json.dumps(made), flush=True)
            if given.check:
                wrong += _differs(made, kept.get(row.key()))
            else:
                add_row(HERE, made)
    if not given.check:
        (HERE / "table.md").write_text(draw_table(read_rows(HERE)), "utf-8")
    return min(wrong, 1)


def rows_of(methods: tuple[Method, ...] | list[Method], seeds: tuple[int, ...] | list[int]) -> list[Row]:
    """Every method with every seed; what is not trained has one row."""
    return [Row(m, seed) for seed in seeds for m in methods if m.temporal or seed == SEEDS[0]]


def make_row(row: Row, work: Path) -> dict[str, Any]:
    """Train, extract the scores of the test videos, and count; `seconds` are the processor's."""
    classes = len(world.DIRECTIONS)
    found = {"accuracy": 1 / classes, "axis": 2 / classes, "sense": 0.5}
    started = _processor_seconds()
    if row.method.temporal:
        for split, (videos, seed) in WORLDS.items():
            world.make_world(work / split, videos, seed)
        started = _processor_seconds()
        found = measure(*_scores(_train(row, work), work))
    return {
        "key": row.key(),
        "method": row.method.name,
        "seed": row.seed,
        **{name: round(value, 4) for name, value in found.items()},
        "seconds": round(_processor_seconds() - started),
        "commit": commit(),
    }


def measure(scores: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> dict[str, float]:
    """Shares of scores (N, 8) in the order of DIRECTIONS whose largest is the truth, or on its axis.

    `sense`: of those on the right axis, the share that is right.
    """
    best, half = scores.argmax(axis=1), len(world.DIRECTIONS) // 2
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
    vidalign("train", str(HERE / "tam.yaml"), "-o", str(folder), "-q", "--device", "cpu", *options, threads=1)
    return folder / "model"


def _scores(model: Path, work: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Scores (N, 8) of the test videos by the model folder, and the indices of their directions."""
    recipe = work / "scores.yaml"
    scores: Recipe = replace(get_recipe(HERE / "recipe.yaml"), name="scores", layer="logits")
    values = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(scores).items()}
    recipe.write_text(yaml.safe_dump(values), "utf-8")
    folder = model.parent / "scores"
    given = ("--backbone", str(model), "--recipe", str(recipe), "--dtype", "float32", "--device", "cpu")
    vidalign("extract", str(work / "test"), "-o", str(folder), "-q", *given, threads=1)
    names = list(world.DIRECTIONS)
    files = sorted(folder.glob("*/*.h5"))
    order = [sorted(names).index(name) for name in names]
    found = np.concatenate([read_features(path).features for path in files])[:, order]
    return found, np.array([names.index(path.parent.name) for path in files])


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _differs(made: Mapping[str, Any], committed: Mapping[str, Any] | None) -> bool:
    if committed is None:
        print(f"{made['method']}, seed {made['seed']}: no committed row of this configuration")
        return True
    print(f"accuracy {made['accuracy']:.3f}, committed {committed['accuracy']:.3f}")
    return abs(made["accuracy"] - committed["accuracy"]) > TOLERANCE


if __name__ == "__main__":
    sys.exit(main())

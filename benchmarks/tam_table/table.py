"""TAM against TSN and a temporal shift: `python -m benchmarks.tam_table.table --work DIR`.

A row is one method and seed. What a row needs is made once, and found again by a hash of all that it depends
on. `--method NAME --seed N --check` makes one row and compares it with the kept one.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.rows import key_of, processor_seconds, run_table, train, vidalign
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

    def told(self) -> dict[str, Any]:
        """Its place in the table."""
        return {"method": self.method.name, "seed": self.seed}


ROWS = [Row(method, seed) for seed in SEEDS for method in METHODS if method.temporal or seed == SEEDS[0]]
"""What is not trained has one row."""


def main() -> int:
    """Make the rows asked for that are not there yet."""
    return run_table(HERE, __doc__, ROWS, make_row, draw_table, ("accuracy", TOLERANCE))


def make_row(row: Row, work: Path) -> dict[str, Any]:
    """Train, extract the scores of the test videos, and count; `seconds` are the processor's."""
    classes = len(world.DIRECTIONS)
    found = {"accuracy": 1 / classes, "axis": 2 / classes, "sense": 0.5}
    started = processor_seconds()
    if row.method.temporal:
        for split, (videos, seed) in WORLDS.items():
            world.make_world(work / split, videos, seed)
        started = processor_seconds()
        found = measure(*_scores(_train(row, work), work))
    return {
        **{name: round(value, 4) for name, value in found.items()},
        "seconds": round(processor_seconds() - started),
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
    return train(HERE / "tam.yaml", folder, settings, threads=1)


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


if __name__ == "__main__":
    sys.exit(main())

"""TSP against action classification alone: `python -m benchmarks.tsp_table.table --work DIR`.

A row is one method and seed. What a row needs is made once, and found again by a hash of all that it depends
on. `--method NAME --seed N --check` makes one row and compares it with the kept one.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.rows import key_of, processor_seconds, run_table, train, vidalign
from benchmarks.tsp_table import world as drawn
from benchmarks.tsp_table.draw import draw_table
from benchmarks.tsp_table.methods import METHODS, Method
from benchmarks.tsp_table.probe import DECAY, measure, read_clips

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)
WORLDS = {"training": (60, 5000), "probe": (20, 5500), "test": (20, 6000)}
"""Videos and seed of each: the encoder's, the probes', and what these are tested on."""
TOLERANCE = 0.03
"""How far the ROC-AUC of a row that is made again may lie from the committed one."""


@dataclass(frozen=True)
class Row:
    """One line of the table's making."""

    method: Method
    seed: int

    def key(self) -> str:
        """A hash of everything that the row depends on."""
        known: dict[str, Any] = {
            "method": asdict(self.method) | {"name": ""},
            "seed": self.seed,
            "worlds": WORLDS,
            "world": [drawn.ACTIONS, drawn.OTHER_MOTION, drawn.SHARES, drawn.SEGMENT_SECONDS],
            "settings": asdict(drawn.SETTINGS),
            "probe": DECAY,
            **{
                name: yaml.safe_load((HERE / f"{name}.yaml").read_text("utf-8")) for name in ("tsp", "recipe")
            },
        }
        return key_of(known)

    def told(self) -> dict[str, Any]:
        """Its place in the table."""
        return {"method": self.method.name, "seed": self.seed}


ROWS = [Row(method, seed) for seed in SEEDS for method in METHODS]


def main() -> int:
    """Make the rows asked for that are not there yet."""
    return run_table(HERE, __doc__, ROWS, make_row, draw_table, ("auc", TOLERANCE))


def make_row(row: Row, work: Path) -> dict[str, Any]:
    """Train, extract and measure; `seconds` are the processor's, for the last stage and what follows it."""
    for split, (videos, seed) in WORLDS.items():
        drawn.make_world(work / split, videos, seed)
    model, folder = None, work
    for stage in range(len(row.method.stages)):
        started = processor_seconds()
        model, folder = _train(row, stage, work, model)
    assert model is not None
    clips = {}
    for split in ("probe", "test"):
        _extract(work / split, folder / "features" / split, model)
        clips[split] = read_clips(folder / "features" / split, work / split / "segments.csv")
    found = measure(clips["probe"], clips["test"])
    return {
        **{name: round(value, 4) for name, value in found.items()},
        "seconds": round(processor_seconds() - started),
    }


def _train(row: Row, stage: int, work: Path, before: Path | None) -> tuple[Path, Path]:
    """The model of a stage and its folder; stages that other methods share are trained once."""
    last = stage == len(row.method.stages) - 1
    pooling = row.method.gvf if last else ""
    shared = Row(Method("", row.method.stages[: stage + 1], pooling), row.seed)
    folder = work / "runs" / shared.key()
    training = work / "training"
    settings: dict[str, Any] = {
        "seed": row.seed,
        "recipe": str(HERE / "recipe.yaml"),
        "data.training.videos": str(training / "videos"),
        "data.training.segments": str(training / "segments.csv"),
        "data.cache": str(work / "frames"),
        **row.method.stages[stage],
    }
    if before is not None:
        settings["init_from"] = str(before)
    if pooling:
        assert before is not None
        settings["gvf"] = str(before.parent / f"gvf-{pooling}")
        _extract(training, Path(settings["gvf"]), before, "--gvf", pooling)
    return train(HERE / "tsp.yaml", folder, settings), folder


def _extract(world: Path, features: Path, model: Path, *options: str) -> None:
    given = ("--backbone", str(model), "--dtype", "float32", "--device", "cpu", "-q", *options)
    vidalign("extract", str(world / "videos"), "-o", str(features), *given)


if __name__ == "__main__":
    sys.exit(main())

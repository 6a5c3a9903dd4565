"""Whole videos found by their paragraphs: `python -m benchmarks.tempclr_table.table --work DIR`.

A row is one method and seed. What a row needs is made once, and found again by a hash of all that it depends
on. `--method NAME --seed N --check` makes one row and compares it with the kept one.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.rows import key_of, processor_seconds, run_table, train, vidalign
from benchmarks.tempclr_table import world as drawn
from benchmarks.tempclr_table.draw import NUMBERS, draw_table
from benchmarks.tempclr_table.methods import METHODS, Method
from vidalign.weights.cache import file_sha256

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)
WORLDS = {"train": (600, 1, 100), "test": (10, 12, 200)}
"""Groups, videos of a group, and seed."""
TOLERANCE = 0.1
"""How far the R@1 of a row that is made again may lie from the committed one: 12 of 120 videos."""


@dataclass(frozen=True)
class Row:
    """One line of the table's making."""

    method: Method
    seed: int

    def key(self) -> str:
        """A hash of everything that the row depends on."""
        known: dict[str, Any] = {
            "stages": self.method.stages,
            "seed": self.seed,
            "worlds": WORLDS,
            "settings": [drawn.STEPS, asdict(drawn.SETTINGS)],
            "config": yaml.safe_load((HERE / "tempclr.yaml").read_text("utf-8")),
            "backbone": file_sha256("mini", "backbone"),
        }
        return key_of(known)

    def told(self) -> dict[str, Any]:
        """Its place in the table."""
        return {"method": self.method.name, "seed": self.seed}


ROWS = [Row(method, seed) for seed in SEEDS for method in METHODS]


def main() -> int:
    """Make the rows asked for that are not there yet."""
    return run_table(HERE, __doc__, ROWS, make_row, draw_table, ("dtw_removed", TOLERANCE))


def make_row(row: Row, work: Path) -> dict[str, Any]:
    """Train and evaluate; `seconds` are the processor's, for the last stage and what follows it."""
    for split, world in WORLDS.items():
        drawn.make_world(work / split, *world)
    model: Path | None = None
    for stage in range(len(row.method.stages)):
        started = processor_seconds()
        model = _train(row, stage, work, model)
    test = work / "test"
    command = ["eval", "retrieve", str(test / "segments.csv"), "--features", str(test / "features")]
    command += ["--model", str(model), "--score", "cosine", "--resamples", "0", "--json", "-q"]
    lines = [json.loads(line) for line in vidalign(*command, threads=1).splitlines()]
    found = {
        f"{line['measure']}_{line['background']}": line["recall_1"]["value"]
        for line in lines
        if line["direction"] == "paragraph to video"
    }
    return {
        **{name: round(found[name], 4) for name in NUMBERS},
        "seconds": round(processor_seconds() - started),
    }


def _train(row: Row, stage: int, work: Path, before: Path | None) -> Path:
    """The model of a stage; stages that other methods share are trained once."""
    shared = Row(Method("", row.method.stages[: stage + 1]), row.seed)
    training = work / "train"
    settings: dict[str, Any] = {
        "seed": row.seed,
        "data.training.features": str(training / "features"),
        "data.training.subtitles": str(training / "subtitles"),
        **row.method.stages[stage],
    }
    if before is not None:
        settings |= {"init_from": str(before), "words": None, "network": None}
    return train(HERE / "tempclr.yaml", work / "runs" / shared.key(), settings, threads=1)


if __name__ == "__main__":
    sys.exit(main())

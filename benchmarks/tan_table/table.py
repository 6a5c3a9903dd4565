"""TAN's table in the synthetic world: `python -m benchmarks.tan_table.table --work DIR`.

A row is one method, level and seed. What a row needs is made once, and found again by a hash of all that it
depends on; a training that was stopped goes on. Finished rows are added to rows.jsonl, and table.md is drawn
from them. `--method NAME --level LEVEL --seed N --check` makes one row and compares it with the kept one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.rows import add_row, commit, key_of, read_rows, vidalign
from benchmarks.tan_table.draw import draw_table
from benchmarks.tan_table.methods import METHODS, Method
from vidalign.weights.cache import file_sha256

HERE = Path(__file__).parent
LEVELS = ("published", "hard")
SEEDS = (0, 1, 2)
TEST_SEED, TEST_VIDEOS = 4000, 20
TRAIN_SEED, TRAIN_VIDEOS = 4100, 1000
TOLERANCE = 0.05
"""How far R@1 of a row that is made again may lie from the committed one."""
NUMBERS = ("recall", "auc", "average_precision", "timing_error", "iou")


@dataclass(frozen=True)
class Row:
    """One cell of the table's making."""

    method: Method
    level: str
    seed: int

    def key(self) -> str:
        """A hash of everything that the row depends on."""
        known: dict[str, Any] = {
            "method": asdict(self.method) | {"name": "", "control": ""},
            "level": self.level,
            "seed": self.seed,
            "config": yaml.safe_load((HERE / "tan.yaml").read_text("utf-8")),
            "worlds": [TEST_SEED, TEST_VIDEOS, TRAIN_SEED, TRAIN_VIDEOS],
            "backbone": file_sha256("mini", "backbone"),
        }
        return key_of(known)


def main() -> int:
    """Make the rows asked for that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for worlds, features and trainings")
    parser.add_argument("--method", action="append", help="only this method (may be repeated)")
    parser.add_argument("--level", action="append", choices=LEVELS)
    parser.add_argument("--seed", action="append", type=int, choices=SEEDS)
    parser.add_argument("--check", action="store_true", help="make again and compare, writing nothing")
    given = parser.parse_args()
    methods = [m for m in METHODS if given.method is None or m.name in given.method]
    rows = [
        Row(method, level, seed)
        for seed in given.seed or SEEDS
        for level in given.level or LEVELS
        for method in methods
    ]
    kept = {row["key"]: row for row in read_rows(HERE)}
    wrong = 0
    for row in rows:
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


def make_row(row: Row, work: Path) -> dict[str, Any]:
    """Train and evaluate; a control row has nothing to train."""
    started = time.monotonic()
    test = _test_world(row.level, work)
    model = _train(row, work)
    command = ["eval", "align", str(test / "truth.json"), "--features", str(test / "features"), "--json"]
    command += ["-q", "--resamples", "0", "--subtitles", str(test / "subtitles"), *row.method.evaluation]
    command += ["--model", str(model)] if model is not None else []
    lines = vidalign(*command).splitlines()
    found = json.loads(lines[-1])
    scores = {name: found[name]["value"] for name in NUMBERS}
    return {
        "key": row.key(),
        "method": row.method.name,
        "level": row.level,
        "seed": row.seed,
        **{name: None if value is None else round(value, 4) for name, value in scores.items()},
        "seconds": round(time.monotonic() - started),
        "commit": commit(),
    }


def _test_world(level: str, work: Path) -> Path:
    """Real videos, and what the bundled backbone makes of them."""
    folder = work / f"test-{level}"
    world = ("--videos", str(TEST_VIDEOS), "--seed", str(TEST_SEED), "--level", level)
    if not (folder / "world.yaml").exists():
        vidalign("synth", "-o", str(folder), *world, "--overwrite", "-q")
    vidalign("extract", str(folder / "videos"), "-o", str(folder / "features"), "--backbone", "mini", "-q")
    return folder


def _train(row: Row, work: Path) -> Path | None:
    """The model of the last stage; stages that other methods share are trained once."""
    model: Path | None = None
    changes: list[Mapping[str, Any]] = []
    for stage in row.method.stages:
        changes.append(stage)
        shared = Row(Method("", stages=tuple(changes)), row.level, row.seed)
        folder = work / "runs" / shared.key()
        settings: dict[str, Any] = dict(stage)
        settings |= {"seed": row.seed, "data.training": _training_world(row, work)}
        if model is not None:
            settings |= {"init_from": str(model), "warm_start": None, "network": None, "small_residual": 1.0}
        options = [f"--set={key}={json.dumps(value)}" for key, value in settings.items()]
        vidalign("train", str(HERE / "tan.yaml"), "-o", str(folder), "-q", *options)
        model = folder / "model"
    return model


def _training_world(row: Row, work: Path) -> dict[str, str]:
    folder = work / f"train-{row.level}-{row.seed}"
    world = ("--videos", str(TRAIN_VIDEOS), "--seed", str(TRAIN_SEED + row.seed), "--level", row.level)
    if not (folder / "world.yaml").exists():
        vidalign("synth", "--features-only", "-o", str(folder), *world, "--overwrite", "-q")
    return {"features": str(folder / "features"), "subtitles": str(folder / "subtitles")}


def _differs(made: Mapping[str, Any], committed: Mapping[str, Any] | None) -> bool:
    if committed is None:
        print(
            f"{made['method']}, {made['level']}, seed {made['seed']}: no committed row of this configuration"
        )
        return True
    print(f"R@1 {made['recall']:.3f}, committed {committed['recall']:.3f}")
    return abs(made["recall"] - committed["recall"]) > TOLERANCE


if __name__ == "__main__":
    sys.exit(main())

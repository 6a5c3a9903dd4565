"""TAN's table in the synthetic world: `python -m benchmarks.tan_table.table --work DIR`.

A row is one method, level and seed. What a row needs is made once, and found again by a hash of all that it
depends on. `--method NAME --level LEVEL --seed N --check` makes one row and compares it with the kept one.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from benchmarks.rows import key_of, run_table, synth, train, vidalign
from benchmarks.tan_table.draw import draw_table
from benchmarks.tan_table.methods import METHODS, Method, Nsva
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
            "config": yaml.safe_load((HERE / self.method.config).read_text("utf-8")),
            "worlds": [TEST_SEED, TEST_VIDEOS, TRAIN_SEED, TRAIN_VIDEOS],
            "backbone": file_sha256("mini", "backbone"),
        }
        return key_of(known)

    def told(self) -> dict[str, Any]:
        """Its place in the table."""
        return {"method": self.method.name, "level": self.level, "seed": self.seed}


ROWS = [Row(method, level, seed) for seed in SEEDS for level in LEVELS for method in METHODS]


def main() -> int:
    """Make the rows asked for that are not there yet."""
    return run_table(HERE, __doc__, ROWS, make_row, draw_table, ("recall", TOLERANCE))


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
        **{name: None if value is None else round(value, 4) for name, value in scores.items()},
        "seconds": round(time.monotonic() - started),
    }


def _test_world(level: str, work: Path) -> Path:
    """Real videos, and what the bundled backbone makes of them."""
    folder = work / f"test-{level}"
    world = ("--videos", str(TEST_VIDEOS), "--seed", str(TEST_SEED), "--level", level)
    synth(folder, *world)
    vidalign("extract", str(folder / "videos"), "-o", str(folder / "features"), "--backbone", "mini", "-q")
    return folder


def _train(row: Row, work: Path) -> Path | None:
    """The model of the last stage; stages that other methods share are trained once."""
    model: Path | None = None
    changes: list[Mapping[str, Any]] = []
    for stage in row.method.stages:
        changes.append(stage)
        method = replace(row.method, name="", control="", stages=tuple(changes), evaluation=())
        shared = Row(method, row.level, row.seed)
        folder = work / "runs" / shared.key()
        settings: dict[str, Any] = dict(stage)
        settings |= {"seed": row.seed, "data.training": _training_world(row, work)}
        if model is not None:
            settings |= {"init_from": str(model), "warm_start": None, "network": None, "small_residual": 1.0}
        model = train(HERE / row.method.config, folder, settings)
    return model


def _training_world(row: Row, work: Path) -> dict[str, str]:
    world = ("--videos", str(TRAIN_VIDEOS), "--seed", str(TRAIN_SEED + row.seed), "--level", row.level)
    folder = synth(work / f"train-{row.level}-{row.seed}", "--features-only", *world)
    features, subtitles = folder / "features", folder / "subtitles"
    if isinstance(row.method, Nsva) and row.method.aligned:
        return {"features": str(features), "alignments": str(_aligned(folder, row.method.aligned))}
    return {"features": str(features), "subtitles": str(subtitles)}


def _aligned(world: Path, options: Sequence[str]) -> Path:
    """Alignments of all training videos."""
    folder, table = world / "aligned", world / "pairs.csv"
    names = sorted(path.stem for path in (world / "features").glob("*.h5"))
    lines = [f"{name}.mp4,subtitles/{name}.vtt,features/{name}.h5" for name in names]
    table.write_text("\n".join(["video,subtitles,features", *lines]) + "\n", "utf-8")
    vidalign("align", "--pairs", str(table), "--root", str(world), *options, "-o", str(folder), "-q")
    return folder


if __name__ == "__main__":
    sys.exit(main())

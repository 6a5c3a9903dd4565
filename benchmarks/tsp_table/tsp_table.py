"""TSP against action classification alone: `python benchmarks/tsp_table/tsp_table.py --work DIR`.

A row is one method and seed. What a row needs is made once, and found again by a hash of all that it depends
on; a training that was stopped goes on. Finished rows are added to rows.jsonl, and table.md is drawn from
them. `--method NAME --seed N --check` makes one row and compares it with the kept one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tsp_world
import yaml
from tsp_draw import draw_table
from tsp_methods import METHODS, Method
from tsp_probe import DECAY, measure, read_clips

HERE = Path(__file__).parent
ROWS = HERE / "rows.jsonl"
PROGRAM = Path(sysconfig.get_path("scripts")) / "vidalign"
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
            "world": [tsp_world.ACTIONS, tsp_world.OTHER_MOTION, tsp_world.SHARES, tsp_world.SEGMENT_SECONDS],
            "settings": asdict(tsp_world.SETTINGS),
            "probe": DECAY,
            **{
                name: yaml.safe_load((HERE / f"{name}.yaml").read_text("utf-8")) for name in ("tsp", "recipe")
            },
        }
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def main() -> int:
    """Make the rows asked for that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for worlds, features and trainings")
    parser.add_argument("--method", action="append", help="only this method (may be repeated)")
    parser.add_argument("--seed", action="append", type=int, choices=SEEDS)
    parser.add_argument("--check", action="store_true", help="make again and compare, writing nothing")
    given = parser.parse_args()
    methods = [m for m in METHODS if given.method is None or m.name in given.method]
    kept = {row["key"]: row for row in _read_rows()}
    wrong = 0
    for row in (Row(method, seed) for seed in given.seed or SEEDS for method in methods):
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


def make_row(row: Row, work: Path) -> dict[str, Any]:
    """Train, extract and measure; `seconds` are the processor's, for the last stage and what follows it."""
    for split, (videos, seed) in WORLDS.items():
        tsp_world.make_world(work / split, videos, seed)
    model, folder = None, work
    for stage in range(len(row.method.stages)):
        started = _processor_seconds()
        model, folder = _train(row, stage, work, model)
    assert model is not None
    clips = {}
    for split in ("probe", "test"):
        _extract(work / split, folder / "features" / split, model)
        clips[split] = read_clips(folder / "features" / split, work / split / "segments.csv")
    found = measure(clips["probe"], clips["test"])
    return {
        "key": row.key(),
        "method": row.method.name,
        "seed": row.seed,
        **{name: round(value, 4) for name, value in found.items()},
        "seconds": round(_processor_seconds() - started),
        "commit": _commit(),
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
    options = [f"--set={key}={json.dumps(value)}" for key, value in settings.items()]
    _vidalign("train", str(HERE / "tsp.yaml"), "-o", str(folder), "-q", "--device", "cpu", *options)
    return folder / "model", folder


def _extract(world: Path, features: Path, model: Path, *options: str) -> None:
    given = ("--backbone", str(model), "--dtype", "float32", "--device", "cpu", "-q", *options)
    _vidalign("extract", str(world / "videos"), "-o", str(features), *given)


def _vidalign(*arguments: str) -> None:
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)
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
    print(f"ROC-AUC {made['auc']:.3f}, committed {committed['auc']:.3f}")
    return abs(made["auc"] - committed["auc"]) > TOLERANCE


if __name__ == "__main__":
    sys.exit(main())

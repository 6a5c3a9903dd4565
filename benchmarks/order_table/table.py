"""Order-aware decoders against the peak: `python -m benchmarks.order_table.table --work DIR`.

A row is one scorer, decoder, share of chatter and world's seed. `--decoder NAME --seed N --check` makes rows
once more and compares them with the kept ones.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.order_table.draw import draw_table
from benchmarks.order_table.methods import CHATTER, METHODS, SCORERS, Method
from benchmarks.rows import key_of, run_table, synth, vidalign
from vidalign.weights.cache import file_sha256

HERE = Path(__file__).parent
SEEDS = (4300, 4301, 4302)
VIDEOS = 60
NUMBERS = ("recall", "auc", "label_accuracy", "label_f1", "iou")
TOLERANCE = 0.005
"""How far R@1 of a row that is made again may lie from the committed one."""


@dataclass(frozen=True)
class Row:
    """One cell of the table's making."""

    method: Method
    seed: int

    def key(self) -> str:
        """A hash of everything that the row depends on."""
        known: dict[str, Any] = {
            "scorer": SCORERS[self.method.scorer],
            "decoder": self.method.decoder,
            "world": [world(self.method.chatter), self.seed, VIDEOS],
            "weights": [file_sha256("mini", role) for role in ("backbone", "aligner")],
        }
        return key_of(known)

    def told(self) -> dict[str, Any]:
        """Its place in the table."""
        return {**asdict(self.method), "seed": self.seed}


ROWS = [Row(method, seed) for seed in SEEDS for method in METHODS]


def world(chatter: int) -> dict[str, Any]:
    """The knobs of the synthetic world."""
    return {"level": "hard", "alignable_share": list(CHATTER[chatter])}


def main() -> int:
    """Make the rows asked for that are not there yet."""
    return run_table(HERE, __doc__, ROWS, make_row, draw_table, ("recall", TOLERANCE))


def make_row(row: Row, work: Path) -> dict[str, Any]:
    """Evaluate one decoder in one world."""
    started = time.monotonic()
    here = _world(row, work)
    command = ("eval", "align", str(here / "truth.json"), "--features", str(here / "features"))
    method = (*SCORERS[row.method.scorer], "--decoder", row.method.decoder)
    out = vidalign(
        *command, "--subtitles", str(here / "subtitles"), *method, "--json", "-q", "--resamples", "0"
    )
    found = json.loads(out)
    return {
        **{name: round(found[name]["value"], 4) for name in NUMBERS},
        "sentences": found["sentences"],
        "alignable": found["alignable"],
        "seconds": round(time.monotonic() - started),
    }


def _world(row: Row, work: Path) -> Path:
    """Features, subtitles and truth of videos that are not drawn."""
    folder = work / f"chatter-{row.method.chatter}-{row.seed}"
    knobs = work / f"chatter-{row.method.chatter}.yaml"
    work.mkdir(parents=True, exist_ok=True)
    knobs.write_text(yaml.safe_dump(world(row.method.chatter)), "utf-8")
    size = ("--videos", str(VIDEOS), "--seed", str(row.seed))
    return synth(folder, "--features-only", "--config", str(knobs), *size)


if __name__ == "__main__":
    sys.exit(main())

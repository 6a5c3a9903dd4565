"""A backbone trained on by subtitles or by alignments: `python -m benchmarks.finetune.table --work DIR`.

A row is one source of sentences and one seed. What a row needs is made once, and found again by a hash of all
that it depends on. Finished rows are added to rows.jsonl, and table.md is drawn from them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import yaml

from benchmarks.rows import key_of, run_table, spread, synth, train, vidalign
from vidalign.weights.cache import file_sha256

HERE = Path(__file__).parent
LONGEST = 600
"""Seconds that a row may take."""
SEEDS = (0, 1, 2)
WORLDS = {"train": ("--videos", "24", "--seed", "11"), "test": ("--videos", "24", "--seed", "13")}
NUMBERS = ("recall", "auc")
TOLERANCE = 0.05
"""How far R@1 of a row that is made again may lie from the committed one."""
LATER: dict[str, Any] = {
    "network": None,
    "words": None,
    "training.steps": 160,
    "optimizer.learning_rate": 2e-3,
}
"""What every second training changes: it goes on from the first one's network and words."""


class Source(NamedTuple):
    """What the second training learns from: a folder of the training world; no folder, no second training."""

    name: str
    folder: str = ""
    key: str = "alignments"
    clips: Mapping[str, Any] = {}


SOURCES = (
    Source("first training"),
    Source("+ subtitles as they stand", "subtitles", "subtitles"),
    Source("+ alignments by mini", "by-mini", clips={"candidates": 1}),
    Source("+ the true times", "true", clips={"candidates": 1}),
)


def row_key(source: Source, seed: int) -> str:
    """A hash of everything that a row depends on."""
    files = {
        name: yaml.safe_load((HERE / name).read_text("utf-8")) for name in ("backbone.yaml", "recipe.yaml")
    }
    known = {
        **files,
        "world": yaml.safe_load((HERE / "world.yaml").read_text("utf-8")),
        "worlds": {name: list(options) for name, options in WORLDS.items()},
        "source": [source.folder, source.key, dict(source.clips)],
        "later": LATER,
        "seed": seed,
        "aligner": [file_sha256("mini", role) for role in ("backbone", "aligner")],
    }
    return key_of(known)


class Row(NamedTuple):
    """One line of the table's making."""

    source: Source
    seed: int

    def key(self) -> str:
        """A hash of everything that the row depends on."""
        return row_key(self.source, self.seed)

    def told(self) -> dict[str, Any]:
        """Its place in the table."""
        return {"source": self.source.name, "seed": self.seed}


ROWS = [Row(source, seed) for seed in SEEDS for source in SOURCES]


def main() -> int:
    """Make the rows asked for that are not there yet."""
    return run_table(HERE, __doc__, ROWS, make_row, draw_table, ("recall", TOLERANCE))


def make_row(row: Row, work: Path) -> dict[str, Any]:
    """Train and evaluate."""
    started = time.monotonic()
    test = world("test", work)
    model = trained(row.source, row.seed, work)
    features = work / "features" / row.key()
    vidalign("extract", str(test / "videos"), "-o", str(features), "--backbone", str(model), "-q")
    command = ["eval", "align", str(test / "truth.json"), "--features", str(features), "--json", "-q"]
    found = json.loads(vidalign(*command, "--resamples", "0", "--model", str(model)).splitlines()[-1])
    return {
        **{name: round(found[name]["value"], 4) for name in NUMBERS},
        "seconds": round(time.monotonic() - started),
    }


def world(name: str, work: Path) -> Path:
    """The videos of a split, their subtitles and the truth."""
    return synth(work / name, *WORLDS[name], "--config", str(HERE / "world.yaml"))


def trained(source: Source, seed: int, work: Path) -> Path:
    """The model of the last training; the first one is shared by all sources."""
    folder = work / "runs" / row_key(source, seed)
    videos = {"videos": str(world("train", work) / "videos")}
    settings: dict[str, Any] = {"seed": seed, "recipe": str(HERE / "recipe.yaml")}
    if source.folder:
        videos[source.key] = str(sentences(source, work))
        settings |= {**LATER, "init_from": str(trained(SOURCES[0], seed, work))}
        settings |= {f"data.clips.{name}": value for name, value in source.clips.items()}
    else:
        videos["subtitles"] = str(work / "train" / "subtitles")
    settings["data.training"] = videos
    settings["data.cache"] = str(work / "frames")
    return train(HERE / "backbone.yaml", folder, settings)


def sentences(source: Source, work: Path) -> Path:
    """The folder of what is learned from, made where it is not there."""
    train, folder = world("train", work), work / "train" / source.folder
    if source.folder == "by-mini":
        command = (
            "align",
            str(train / "videos"),
            str(train / "subtitles"),
            "-o",
            str(folder),
            "--model",
            "mini",
        )
        vidalign(*command, "--save-features", str(train / "features"), "--no-matrix", "-q")
    elif source.folder == "true" and not folder.exists():
        write_truth(train, folder)
    return folder


def write_truth(train: Path, folder: Path) -> None:
    """Alignment files that say what is true: every sentence that can be seen, where it can be seen."""
    import numpy as np

    from vidalign.evaluation.annotations import read_annotations
    from vidalign.store.alignments import write_alignment
    from vidalign.types import Alignment, Cue, Sentence

    for video, rows in read_annotations(train / "truth.json").items():
        seen = np.array([row.alignable for row in rows], np.bool_)
        spans = np.array([(row.start, row.end) for row in rows], np.float64)
        said = tuple(Sentence(row.text, None, None, k, k) for k, row in enumerate(rows))
        cues = tuple(Cue(None, None, row.text, row.text) for row in rows)
        sure = seen.astype(np.float32)
        segments = np.where(seen[:, None], spans, np.nan)
        write_alignment(
            folder / f"{video}.align.json", Alignment(None, sure, sure, seen, segments, None, said, cues)
        )


def draw_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """R@1 and ROC-AUC in percent, and the gain over the second training on subtitles."""
    lines = ["| learned from | R@1 | over subtitles | ROC-AUC |", "| --- | --- | --- | --- |"]
    control = {row["seed"]: row["recall"] for row in rows if row["source"] == SOURCES[1].name}
    for source in SOURCES:
        ours = [row for row in rows if row["source"] == source.name]
        gains = [100 * (row["recall"] - control[row["seed"]]) for row in ours if row["seed"] in control]
        gain = f"{mean(gains):+.1f}" if gains and source is not SOURCES[1] else ""
        numbers = (spread([100 * row[name] for row in ours]) for name in NUMBERS)
        recall, auc = numbers
        lines.append(f"| {source.name} | {recall} | {gain} | {auc} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())

"""A backbone trained on by subtitles or by alignments: `python -m benchmarks.finetune.table --work DIR`.

A row is one source of sentences and one seed. What a row needs is made once, and found again by a hash of all
that it depends on. Finished rows are added to rows.jsonl, and table.md is drawn from them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import yaml

from benchmarks.rows import add_row, commit, key_of, read_rows, spread, vidalign
from vidalign.weights.cache import file_sha256

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)
WORLDS = {"train": ("--videos", "24", "--seed", "11"), "test": ("--videos", "24", "--seed", "13")}
NUMBERS = ("recall", "auc")
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


def main() -> int:
    """Make the rows asked for that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for worlds, features and trainings")
    parser.add_argument("--seed", action="append", type=int, choices=SEEDS)
    given = parser.parse_args()
    made = {row["key"] for row in read_rows(HERE)}
    for seed in given.seed or SEEDS:
        for source in SOURCES:
            if row_key(source, seed) not in made:
                row = make_row(source, seed, given.work)
                print(json.dumps(row), flush=True)
                add_row(HERE, row)
    (HERE / "table.md").write_text(draw_table(read_rows(HERE)), "utf-8")
    return 0


def make_row(source: Source, seed: int, work: Path) -> dict[str, Any]:
    """Train and evaluate."""
    started = time.monotonic()
    test = world("test", work)
    model = trained(source, seed, work)
    features = work / "features" / row_key(source, seed)
    vidalign("extract", str(test / "videos"), "-o", str(features), "--backbone", str(model), "-q")
    command = ["eval", "align", str(test / "truth.json"), "--features", str(features), "--json", "-q"]
    found = json.loads(vidalign(*command, "--resamples", "0", "--model", str(model)).splitlines()[-1])
    return {
        "key": row_key(source, seed),
        "source": source.name,
        "seed": seed,
        **{name: round(found[name]["value"], 4) for name in NUMBERS},
        "seconds": round(time.monotonic() - started),
        "commit": commit(),
    }


def world(name: str, work: Path) -> Path:
    """The videos of a split, their subtitles and the truth."""
    folder = work / name
    if not (folder / "world.yaml").exists():
        config = ("--config", str(HERE / "world.yaml"))
        vidalign("synth", "-o", str(folder), *WORLDS[name], *config, "--overwrite", "-q")
    return folder


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
    options = [f"--set={key}={json.dumps(value)}" for key, value in settings.items()]
    vidalign("train", str(HERE / "backbone.yaml"), "-o", str(folder), "-q", *options)
    return folder / "model"


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

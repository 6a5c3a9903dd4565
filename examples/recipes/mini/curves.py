"""Draws how R@1 falls with timing noise and with chatter: `python .../mini/curves.py --work DIR`.

Needs matplotlib (`pip install 'vidalign[plot]'`). Worlds are of level default but for the one knob, without
pictures; the bundled model is measured.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import yaml

HERE = Path(__file__).parent
PROGRAM = Path(sysconfig.get_path("scripts")) / "vidalign"
SEED, VIDEOS = 401, 40


@dataclass(frozen=True)
class Curve:
    """A knob at several values."""

    label: str
    points: Mapping[float, Mapping[str, Any]]


CURVES = (
    Curve(
        "share of sentences that the narrator wants to say in time",
        {share: {"in_place_share": share, "max_in_place": 1.0} for share in (0.0, 0.25, 0.5, 0.75, 1.0)},
    ),
    Curve(
        "share of sentences that cannot be seen",
        {
            share: {"alignable_share": [1 - share, 1 - share], "cue_seconds": [1.0, 1.8]}
            for share in (0.1, 0.2, 0.4, 0.6, 0.8)
        },
    ),
)
METHODS = {"mini": "TAN", "similarity of mini": "similarity", "times": "subtitle times"}


def main() -> None:
    """Measure every point that is not measured yet, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=HERE / "curves.svg")
    given = parser.parse_args()
    figure, axes = plt.subplots(1, len(CURVES), figsize=(9, 3.2), sharey=True, layout="constrained")
    for number, (curve, axis) in enumerate(zip(CURVES, axes, strict=True)):
        found = [measure(given.work / f"{number}-{x}", knobs) for x, knobs in curve.points.items()]
        for (method, label), marker in zip(METHODS.items(), "os^", strict=True):
            axis.plot(list(curve.points), [row[method] for row in found], marker=marker, label=label)
        axis.set(xlabel=curve.label, ylim=(0, 1.02))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("R@1")
    axes[0].legend()
    figure.savefig(given.output, metadata={"Date": None})


def measure(folder: Path, knobs: Mapping[str, Any]) -> dict[str, float]:
    """R@1 of every method in one world."""
    if not (folder / "world.yaml").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "knobs.yaml").write_text(yaml.safe_dump(dict(knobs)))
        world = ("--videos", str(VIDEOS), "--seed", str(SEED), "--config", str(folder / "knobs.yaml"))
        run("synth", "--features-only", "-o", str(folder), *world, "--overwrite", "-q")
    command = ["eval", "align", str(folder / "truth.json"), "--features", str(folder / "features"), "--json"]
    command += ["--model", "mini", "--baseline", "similarity", "--baseline", "times"]
    rows = run(*command, "--subtitles", str(folder / "subtitles"), "--resamples", "0", "-q")
    return {row["method"]: row["recall"]["value"] for row in map(json.loads, rows)}


def run(*arguments: str) -> Iterator[str]:
    """Lines that the command line prints."""
    done = subprocess.run([PROGRAM, *arguments], check=True, capture_output=True, text=True)
    return iter(done.stdout.splitlines())


if __name__ == "__main__":
    main()

"""What the finished model scores on worlds that training never saw, and what no model could exceed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vidalign.aligners.registry import load_aligner
from vidalign.aligners.scorers.tan import TAN
from vidalign.aligners.scorers.windowed_tan import TanScorer
from vidalign.synthetic.generate import Sample, draw_sample
from vidalign.synthetic.settings import make_settings, read_knobs
from vidalign.training.tasks.heldout import KnownTruth, TruthOptions

NUMBERS = ("recall", "auc", "average_precision", "timing_error", "iou", "calibration_error")


def report(worlds: Path, plan: Mapping[str, Any], model: Path, program: Path) -> dict[str, Any]:
    """Every test world: the model, the baselines, an untrained network and the oracle."""
    scores: dict[str, Any] = {}
    for name, world in plan.items():
        if not name.startswith("test-"):
            continue
        folder = worlds / name
        scores[name] = evaluate(program, folder, model)
        scores[name]["untrained network"] = untrained(folder, model)
        settings = make_settings(read_knobs(folder / "world.yaml"))
        samples = [draw_sample(world["seed"], index, settings) for index in range(world["videos"])]
        scores[name]["oracle"] = {"recall": round(oracle(samples), 4)}
    return scores


def evaluate(program: Path, folder: Path, model: Path) -> dict[str, Any]:
    """`vidalign eval align` over one world."""
    command = [program, "eval", "align", folder / "truth.json", "--features", folder / "features"]
    command += ["--model", model, "--subtitles", folder / "subtitles", "--json", "-q"]
    for baseline in ("times", "uniform", "similarity"):
        command += ["--baseline", baseline]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    return {row["method"]: {name: _value(row[name]) for name in NUMBERS} for row in rows}


def untrained(folder: Path, model: Path) -> dict[str, float]:
    """The same network with random weights."""
    aligner = load_aligner(str(model))
    torch.manual_seed(0)
    assert isinstance(aligner.scorer, TanScorer)
    scorer = TanScorer(TAN(**aligner.spec.config).eval(), aligner.scorer.tokenizer)
    found = KnownTruth(TruthOptions(folder / "truth.json", folder / "features"), "both").metrics(scorer)
    return {"recall": round(found["recall"], 4)}


def oracle(samples: list[Sample]) -> float:
    """Expected R@1 of who knows what every second shows, but not which of equal steps is meant."""
    chances = []
    for sample in samples:
        steps, fps = sample.plan.steps, sample.plan.settings.fps
        for cue in sample.narration:
            if cue.step is None:
                continue
            said = steps[cue.step]
            seconds = [
                second
                for step in steps
                if step.kind == said.kind
                for second in range(floor(step.start / fps), ceil(step.end / fps))
            ]
            start, end = sample.plan.interval(cue.step)
            chances.append(np.mean([floor(start) <= second <= ceil(end) for second in seconds]))
    return float(np.mean(chances))


def _value(estimate: Any) -> float | None:
    number = estimate["value"] if isinstance(estimate, dict) else estimate
    return None if number is None else round(float(number), 4)

"""Linear probes of frozen features: action against background, and which action."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from benchmarks.tsp_table.world import ACTIONS
from vidalign.store.features import read_features

DECAY = 1e-3
"""Of the squared weights of a probe, whose inputs have mean 0 and deviation 1."""
ITERATIONS = 200


@dataclass(frozen=True)
class Clips:
    """Features (N, D) of clips that lie within one segment, and what that shows."""

    features: NDArray[np.float32]
    shown: tuple[str, ...]

    @property
    def action(self) -> NDArray[np.bool_]:
        """Which clips (N,) show an action."""
        return np.array([shown in ACTIONS for shown in self.shown])


def read_clips(features: Path, table: Path) -> Clips:
    """The clips of all videos of a table."""
    segments: dict[str, list[tuple[float, float, str]]] = {}
    for row in csv.DictReader(table.read_text("utf-8").splitlines()):
        video = segments.setdefault(Path(row["video"]).stem, [])
        video.append((float(row["start"]), float(row["end"]), row["shown"]))
    vectors, shown = [], []
    for name, rows in segments.items():
        found = read_features(features / f"{name}.h5")
        for vector, (start, end) in zip(found.features, found.times, strict=True):
            inside = [what for first, last, what in rows if first <= start + 1e-6 and end <= last + 1e-6]
            if inside:
                vectors.append(vector.astype(np.float32))
                shown.append(inside[0])
    return Clips(np.stack(vectors), tuple(shown))


def measure(training: Clips, held_out: Clips) -> dict[str, float]:
    """`auc` and balanced `accuracy` of action against background, and `action` accuracy, held out."""
    scale = training.features.mean(0), training.features.std(0) + 1e-6
    seen, new = ((clips.features - scale[0]) / scale[1] for clips in (training, held_out))
    scores = _probe(seen, training.action.astype(np.int64), new, 2)
    margin = scores[:, 1] - scores[:, 0]
    of_action, of_background = margin[held_out.action], margin[~held_out.action]
    which = [
        np.array([ACTIONS.index(s) for s in clips.shown if s in ACTIONS]) for clips in (training, held_out)
    ]
    guessed = _probe(seen[training.action], which[0], new[held_out.action], len(ACTIONS)).argmax(1)
    return {
        "auc": area(of_action, of_background),
        "accuracy": float(((of_action > 0).mean() + (of_background <= 0).mean()) / 2),
        "action": float((guessed == which[1]).mean()),
    } | {
        f"auc_{kind}": area(of_action, margin[[s in shown for s in held_out.shown]])
        for kind, shown in KINDS.items()
    }


KINDS: dict[str, Sequence[str]] = {
    "reversed": ("down", "left", "shrink", "merge"),
    "blink": ("blink",),
    "rest": ("rest",),
    "scenery": ("scenery",),
}


def area(positive: NDArray[Any], negative: NDArray[Any]) -> float:
    """Of the ROC curve: the share of pairs in the right order."""
    pairs = positive[:, None] - negative[None, :]
    return float((pairs > 0).mean() + (pairs == 0).mean() / 2)


def _probe(
    seen: NDArray[np.float32], labels: NDArray[np.int64], new: NDArray[np.float32], classes: int
) -> NDArray[np.float64]:
    """Scores (N, classes) of `new` by a logistic regression, classes weighted alike."""
    inputs, targets = torch.from_numpy(seen).double(), torch.from_numpy(labels)
    counts = torch.bincount(targets, minlength=classes).double()
    weight = torch.zeros(inputs.shape[1], classes, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(inputs @ weight + bias, targets, weight=counts.sum() / (classes * counts))
        loss = loss + DECAY * weight.square().sum()
        loss.backward()
        return loss.detach()

    optimizer.step(closure)
    with torch.no_grad():
        return (torch.from_numpy(new).double() @ weight + bias).numpy()

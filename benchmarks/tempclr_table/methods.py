"""The rows of the table: what each method changes in tempclr.yaml, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Change = dict[str, Any]


@dataclass(frozen=True)
class Method:
    """`stages` are trainings, each going on from the one before."""

    name: str
    stages: tuple[Change, ...]


CLIPS: Change = {}
LATER: Change = {"training.steps": 150, "optimizer.warmup": 10}

METHODS = (
    Method("clips and captions, stage 1", (CLIPS,)),
    Method("clips and captions, continued", (CLIPS, LATER)),
    Method("+ sequences, DTW", (CLIPS, {**LATER, "loss.sequence.weight": 0.7})),
    Method(
        "+ sequences, OTAM",
        (CLIPS, {**LATER, "loss.sequence.weight": 0.7, "loss.sequence.distance": "otam"}),
    ),
    Method(
        "Norton",
        (CLIPS, {**LATER, "loss.objective": "norton", "loss.transport.alpha": 0.1}),
    ),
)
CONTROL = METHODS[1].name
"""The row that the others of two stages are compared with."""

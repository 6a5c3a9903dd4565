"""The rows of the table: what each method changes in tsp.yaml, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Change = dict[str, Any]


@dataclass(frozen=True)
class Method:
    """`stages` are trainings, each going on from the one before; `gvf` pools the first one's features."""

    name: str
    stages: tuple[Change, ...]
    gvf: str = ""


TAC: Change = {"loss.objective": "tac"}
LATER: Change = {"network": None, "training.steps": 600, "optimizer.warmup": 10}
TSP: Change = {**LATER, "loss.objective": "tsp"}

METHODS = (
    Method("TAC, first stage", (TAC,)),
    Method("TAC", (TAC, {**LATER, **TAC})),
    Method("TSP, no GVF", (TAC, TSP)),
    Method("TSP, max GVF", (TAC, TSP), "max"),
)
CONTROL = "TAC"

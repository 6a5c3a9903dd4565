"""The rows of the table: what each method changes in its file, stage by stage, and how it is evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Change = dict[str, Any]


@dataclass(frozen=True)
class Method:
    """`stages` are trainings, each going on from the one before; `control` names the row to compare with."""

    name: str
    control: str = ""
    stages: tuple[Change, ...] = ()
    evaluation: tuple[str, ...] = ()

    @property
    def config(self) -> str:
        """The file that the stages change."""
        return "tan.yaml"


@dataclass(frozen=True)
class Nsva(Method):
    """`aligned` are options of `vidalign align`, by which the training sentences are placed first."""

    aligned: tuple[str, ...] = ()

    @property
    def config(self) -> str:
        """The file that the stages change."""
        return "nsva.yaml"


INIT: Change = {"loss.stage": "init", "loss.head": 0.0}
LATER: Change = {"optimizer.warmup": 10}
COTRAIN: Change = {**LATER, "loss.stage": "cotrain", "loss.head": 0.0}
PLACED = (
    "--model",
    "mini",
    "--scorer",
    "similarity",
    "--decoder",
    "viterbi",
    "--decoder-option",
    "prior=0.5",
)
SIMILARITY: Change = {**INIT, "loss.encoders": "dual", "network.video_layers": 0}

METHODS = (
    Method("subtitle times", evaluation=("--baseline", "times")),
    Method("uniform spread", evaluation=("--baseline", "uniform")),
    Method("similarity, whole video", evaluation=("--baseline", "similarity", "--windowing", "global")),
    Method("similarity, 64 s", evaluation=("--baseline", "similarity")),
    Method("similarity, MIL-NCE continued", "similarity, 64 s", (SIMILARITY,), ("--encoders", "dual")),
    Method(
        "dual only",
        "similarity, MIL-NCE continued",
        ({**INIT, "loss.encoders": "dual"},),
        ("--encoders", "dual"),
    ),
    Method("joint only", "dual only", ({**INIT, "loss.encoders": "joint"},), ("--encoders", "joint")),
    Method("stage 1", "joint only", (INIT,)),
    Method("stage 1 continued", "stage 1", (INIT, {**INIT, **LATER})),
    Method("stage 2, keep, no head", "stage 1 continued", (INIT, COTRAIN)),
    Method("stage 2, keep, head", "stage 1 continued", (INIT, {**COTRAIN, "loss.head": 1.0})),
    Method(
        "stage 2, u, head", "stage 1 continued", (INIT, {**COTRAIN, "loss.head": 1.0, "loss.agreement": "u"})
    ),
    Nsva("NSVA", "joint only", ({},), ("--windowing", "global")),
    Nsva("NSVA, on alignments", "NSVA", ({},), ("--windowing", "global"), PLACED),
)

"""The rows of the table: what each method changes in tam.yaml."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """`temporal` is the module in each block of the network; empty: nothing is trained."""

    name: str
    temporal: str = ""


CONTROL = Method("TSN: no module", "none")
METHODS = (
    Method("chance"),
    CONTROL,
    Method("shift, as in TSM", "shift"),
    Method("TAM", "tam"),
)

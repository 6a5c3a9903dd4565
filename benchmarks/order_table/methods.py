"""The rows of the table: every decoder over two scorers, in worlds with more and more chatter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DECODERS = (
    "peak",
    "dtw",
    "otam",
    "drop-dtw",
    "viterbi",
    "viterbi:prior=0.5",
    "viterbi:prior=2",
    "ot",
)
SCORERS: Mapping[str, tuple[str, ...]] = {
    "mini": ("--model", "mini"),
    "similarity": ("--baseline", "similarity"),
}
"""How `vidalign eval align` names them."""

HARD = 70
CHATTER: Mapping[int, tuple[float, float]] = {30: (0.67, 0.73), 50: (0.47, 0.53), HARD: (0.27, 0.33)}
"""Percent of sentences that cannot be seen -> shares that can; `HARD` is the level hard as it is."""


@dataclass(frozen=True)
class Method:
    """A scorer with a decoder, among so much chatter."""

    scorer: str
    decoder: str
    chatter: int


METHODS = (
    *(Method("mini", decoder, chatter) for chatter in CHATTER for decoder in DECODERS),
    *(Method("similarity", decoder, HARD) for decoder in DECODERS),
)

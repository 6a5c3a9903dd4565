"""The choices of TempCLR's and Norton's training, as a configuration names them."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import factorial
from typing import Literal

from vidalign.errors import ConfigError
from vidalign.training.losses.sequence import Distance

Trained = Literal["all", "norms"]
"""All weights of a network, or those of its norms alone."""


@dataclass(frozen=True, slots=True)
class SequenceOptions:
    """The contrast of `clips` clips of a video with their captions in order and in other orders.

    `weight` is its share of the loss, that of clips with captions has the rest; 0 is VideoCLIP's training.
    Videos with fewer clips that do not overlap take no part. `negatives` are the other orders, `gamma` is the
    softness of the `distance`.
    """

    weight: float = 0.7
    distance: Distance = "dtw"
    clips: int = 5
    negatives: int = 31
    gamma: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.weight < 1:
            raise ConfigError(f"weight must lie between 0 and below 1, not {self.weight}")
        if self.clips < 2:
            raise ConfigError(f"clips must be at least 2, not {self.clips}")
        if not 1 <= self.negatives < factorial(self.clips):
            orders = factorial(self.clips) - 1
            raise ConfigError(f"negatives is {self.negatives}; {self.clips} clips have {orders} other orders")
        if not self.gamma > 0:
            raise ConfigError(f"gamma must be above 0, not {self.gamma}")


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """Optimal transport between sequences of `clips` clips and their captions, all those of a batch.

    `weight` is that of the contrast of sequences, added to that of clips. Transport has `iterations` of
    Sinkhorn's at `epsilon`, and a bucket at the similarity that a share `bucket` of the cells does not reach.
    Similarity is `fusion` parts of the tokens', softened by `alpha`, and the rest of the mean tokens'.
    `rectify` is the share of a clip's target that other clips' captions may have. `temperature` is learned;
    it begins there.
    """

    weight: float = 0.1
    clips: int = 8
    iterations: int = 50
    epsilon: float = 0.1
    bucket: float = 0.3
    alpha: float = 1.0
    fusion: float = 0.5
    rectify: float = 0.3
    temperature: float = 0.07

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ConfigError(f"weight must not be below 0, not {self.weight}")
        for name in ("clips", "iterations", "epsilon", "alpha", "temperature"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be above 0, not {getattr(self, name)}")
        for name in ("bucket", "fusion", "rectify"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class TempclrOptions:
    """Which `objective`: tempclr (its own options in `sequence`) or norton (in `transport`).

    `trained`: all weights, or those of the norms alone, as published for networks that go on from another.
    """

    objective: Literal["tempclr", "norton"] = "tempclr"
    trained: Trained = "all"
    sequence: SequenceOptions = field(default_factory=SequenceOptions)
    transport: TransportOptions = field(default_factory=TransportOptions)

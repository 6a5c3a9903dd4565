"""Decoders: similarity -> segments. One file a method, one table; a method is loaded when it is used.

`soft` holds their differentiable forms in torch, which no decoder needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from vidalign.aligners.decoders.options import Options, ViterbiOptions, canonical, parse, write

if TYPE_CHECKING:
    from vidalign.aligners.decoders.evidence import Decoded, Evidence

__all__ = ["DECODERS", "Decoder", "canonical", "get_decoder"]

DECODERS = {
    "peak": "vidalign.aligners.decoders.peak",
    "dtw": "vidalign.aligners.decoders.dtw",
    "otam": "vidalign.aligners.decoders.otam",
    "drop-dtw": "vidalign.aligners.decoders.drop_dtw",
    "steps": "vidalign.aligners.decoders.steps",
    "ot": "vidalign.aligners.decoders.transport",
    "viterbi": "vidalign.aligners.decoders.viterbi",
}
"""Name -> module, whose `decode(evidence, options)` gives what was decoded."""

_DROPPING = {"drop-dtw", "ot", "viterbi"}


@dataclass(frozen=True, slots=True)
class Decoder:
    """A decoder with its options; called with evidence it says where each sentence is seen.

    Raises DataError where nothing can be decoded.
    """

    name: str
    options: Options

    @property
    def written(self) -> str:
        """As alignments record it: the name and the options that are not at their defaults."""
        return write(self.name, self.options)

    @property
    def drops(self) -> bool:
        """Whether it says by itself which sentences cannot be seen."""
        return self.name in _DROPPING

    @property
    def reads_times(self) -> bool:
        """Whether it asks when sentences are spoken."""
        return isinstance(self.options, ViterbiOptions) and self.options.prior > 0

    def __call__(self, evidence: Evidence) -> Decoded:
        decode: Callable[[Evidence, Options], Decoded] = import_module(DECODERS[self.name]).decode
        return decode(evidence, self.options)


def get_decoder(written: str) -> Decoder:
    """The decoder NAME or NAME:KEY=VALUE,...; raises ModelError listing the known ones, or UsageError."""
    return Decoder(*parse(written))

"""Decoders: similarity -> segments. One file a decoder, one table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.decoders.peak import peak
from vidalign.errors import ModelError

Decoder = Callable[[NDArray[np.float32], NDArray[np.float64]], NDArray[np.float64]]
"""Similarity (K, T) and times (T, 2) -> segments (K, 2) in seconds, NaN where a row has no scored cell."""

DECODERS: dict[str, Decoder] = {"peak": peak}


def get_decoder(name: str) -> Decoder:
    """The decoder of that name; raises ModelError listing the known ones."""
    if name not in DECODERS:
        raise ModelError(f"unknown decoder {name!r}", hint=f"known decoders: {', '.join(DECODERS)}")
    return DECODERS[name]

"""The kernels compiled by numba, with the extra `fast`; numpy gives the same numbers and paths, exactly."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.decoders import kernels
from vidalign.aligners.decoders.costs import Cost
from vidalign.errors import MissingExtraError

Engine = Literal["auto", "numpy", "numba"]
"""auto: numba where it is installed."""

Kernel = Callable[..., float]


def kernel(name: str, cost: Cost, engine: Engine) -> Kernel | None:
    """The kernel of `kernels` for this cost, None where numpy does the work; raises MissingExtraError."""
    if engine == "numpy" or (engine == "auto" and find_spec("numba") is None):
        return None
    if find_spec("numba") is None:
        raise MissingExtraError("numba is not installed", hint="pip install 'vidalign[fast]'")
    return _compiled(name, cost.matrix.dtype)


@cache
def _compiled(name: str, dtype: np.dtype[Any]) -> Kernel:
    """Compiled once for matrices of this kind, whatever their strides, and kept on disk where that can be."""
    import numba
    from numba.types import Array, boolean, float64, uint8, void

    cost = (Array(numba.from_dtype(dtype), 2, "A", readonly=True), float64, float64, float64)
    line, table = Array(float64, 1, "A", readonly=True), uint8[:, ::1]
    signature = {
        "dtw": float64(*cost, table),
        "otam": void(*cost, boolean, float64[::1], table),
        "drop_dtw": float64(*cost, line, line, table),
    }[name]
    plain: Kernel = getattr(kernels, name)
    try:
        compiled: Kernel = numba.njit(signature, cache=True, nogil=True)(plain)
    except RuntimeError:  # nowhere to keep it
        compiled = numba.njit(signature, nogil=True)(plain)
    return compiled


def arguments(cost: Cost) -> tuple[Any, ...]:
    """A cost as kernels take it: matrix, scale, offset, unscored."""
    assert cost.by_column is None
    return cost.matrix, cost.scale, cost.offset, cost.unscored


def table(steps: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Where a kernel writes its steps; empty: nowhere."""
    return np.empty((0, 0), dtype=np.uint8) if steps is None else steps

"""Global video features: all clips of a video pooled over time (GVF of TSP, Alwassel et al., ICCVW 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Pooling = Literal["max", "avg"]


def pool(
    rows: NDArray[np.float32], times: Sequence[tuple[float, float]], pooling: Pooling
) -> tuple[NDArray[np.float32], list[tuple[float, float]]]:
    """Rows (T, D) and their times -> one row (1, D), with the time from the first start to the last end."""
    pooled = rows.max(axis=0, keepdims=True) if pooling == "max" else rows.mean(axis=0, keepdims=True)
    return pooled, [(min(start for start, _ in times), max(end for _, end in times))]

"""A matrix as block characters, for terminals of any width."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SHADES = " ░▒▓█"
UNSCORED = "·"


def heat_map(similarity: NDArray[np.float32], width: int, height: int) -> list[str]:
    """(K, T) -> at most `height` lines of at most `width` characters.

    Neighbouring rows and columns are merged by their maximum; each row runs from its own lowest to its
    highest value; cells that no window scored are dots.
    """
    merged = _merge(_merge(similarity, height).T, width).T
    return [_line(row) for row in merged]


def time_axis(start: float, end: float, width: int) -> str:
    """Marks of minutes and seconds under a heat map of that width; those that fit, the two ends first."""
    line = " " * width
    for share in (0.0, 1.0, 0.5, 0.25, 0.75):
        mark = clock(start + share * (end - start))
        place = width - len(mark) if share == 1 else int(share * width)
        after = place + len(mark)
        if place >= 0 and after <= width and not line[max(0, place - 1) : after + 1].strip():
            line = line[:place] + mark + line[after:]
    return line


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss; `?` for a time that is not known."""
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(abs(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    said = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"-{said}" if round(seconds) < 0 else said


def _merge(matrix: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """Merge rows by maximum until there are at most `most`."""
    rows = len(matrix)
    if rows <= most:
        return matrix
    starts = np.arange(most) * rows // most
    return np.fmax.reduceat(matrix, starts, axis=0)


def _line(row: NDArray[np.float32]) -> str:
    scored = np.isfinite(row)
    if not scored.any():
        return UNSCORED * len(row)
    low, high = float(row[scored].min()), float(row[scored].max())
    level = np.zeros(len(row))
    if high > low:
        level[scored] = (row[scored] - low) / (high - low)
    index = np.minimum((level * len(SHADES)).astype(int), len(SHADES) - 1)
    return "".join(SHADES[i] if ok else UNSCORED for i, ok in zip(index, scored, strict=True))

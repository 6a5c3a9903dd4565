"""A matrix as block characters, for terminals of any width."""

from __future__ import annotations

import warnings
from itertools import pairwise

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


def time_axis(seconds: float, width: int) -> str:
    """Marks of minutes and seconds under a heat map of that width and length in seconds."""
    if width < 12:
        return clock(0)[:width]
    line = [" "] * width
    for share in (0, 0.25, 0.5, 0.75):
        place = int(share * width)
        for offset, character in enumerate(clock(share * seconds)):
            if place + offset < width:
                line[place + offset] = character
    end = clock(seconds)
    line[width - len(end) :] = end
    return "".join(line)


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _merge(matrix: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """Merge rows by maximum until there are at most `most`."""
    rows = len(matrix)
    if rows <= most:
        return matrix
    edges = np.linspace(0, rows, most + 1).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        merged = [np.nanmax(matrix[a:b], axis=0) for a, b in pairwise(edges)]
    return np.stack(merged)


def _line(row: NDArray[np.float32]) -> str:
    scored = ~np.isnan(row)
    if not scored.any():
        return UNSCORED * len(row)
    low, high = float(row[scored].min()), float(row[scored].max())
    level = np.zeros(len(row))
    if high > low:
        level[scored] = (row[scored] - low) / (high - low)
    index = np.minimum((level * len(SHADES)).astype(int), len(SHADES) - 1)
    return "".join(SHADES[i] if ok else UNSCORED for i, ok in zip(index, scored, strict=True))

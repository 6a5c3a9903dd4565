"""The table of HTM-AA (Han et al., CVPR 2022): vid, timestamp, text of every aligned sentence of many videos.

A timestamp is the second in which the sentence is seen best; the data set's loader cuts its clip around it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from math import floor
from pathlib import Path

import numpy as np

from vidalign.store.exports.formats import AlignmentFormat, Options
from vidalign.store.exports.values import one_line, shown_segments
from vidalign.types import Alignment


def write(path: Path, named: Iterable[tuple[str, Alignment]], options: Options) -> None:
    """One row an aligned sentence."""
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["vid", "timestamp", "text"])
        for name, alignment in named:
            for k, start, end in shown_segments(alignment):
                second = floor(_best(alignment, k, start, end))
                rows.writerow([name, second, one_line(alignment.sentences[k].text)])


def _best(alignment: Alignment, k: int, start: float, end: float) -> float:
    """Start of the best clip of the segment; without a matrix its middle."""
    if alignment.similarity is None or alignment.times is None:
        return (start + end) / 2
    row = np.asarray(alignment.similarity[k], dtype=np.float64)
    inside = (alignment.times[:, 1] > start) & (alignment.times[:, 0] < end) & np.isfinite(row)
    if not inside.any():
        return (start + end) / 2
    return float(alignment.times[np.where(inside, row, -np.inf).argmax(), 0])


FORMAT = AlignmentFormat(
    summary="HTM-AA table (vid, timestamp, text) of the aligned sentences",
    suffix=".csv",
    write=write,
    gathers=True,
)

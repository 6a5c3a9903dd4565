"""Which clips and which sentences a windowed model sees together; pure functions of times.

TAN was trained on 64 s of video with the sentences near them, so a long video is cut into windows and the
scores are stitched (Han et al., CVPR 2022, evaluation on HTM-Align).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidalign.errors import UsageError

Mode = Literal["overlap", "global"]

LONGEST = 1200
"""Seconds of the longest videos that NSVA was trained on."""
CLIPS = 32
"""Clips that VideoCLIP and TempCLR see at once."""


@dataclass(frozen=True, slots=True)
class Windowing:
    """`size` and `stride` in clips, `margin` in seconds around a window whose sentences it gets.

    Raises UsageError for windows with gaps between them and a margin that is no length.
    """

    mode: Mode = "overlap"
    size: int = 64
    stride: int = 16
    margin: float = 64.0

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.size:
            raise UsageError(
                f"windows of {self.size} clips every {self.stride} leave gaps", hint="size >= stride >= 1"
            )
        if not 0 <= self.margin < inf:
            raise UsageError(f"margin is {self.margin:g}", hint="give a finite number of seconds, 0 or more")


@dataclass(frozen=True, slots=True)
class Window:
    """Clips `start`..`stop` (exclusive) and the indices of the sentences scored against them."""

    start: int
    stop: int
    sentences: NDArray[np.intp]


def plan_windows(times: NDArray[np.float64], mids: NDArray[np.float64], windowing: Windowing) -> list[Window]:
    """Windows over clips with `times` (T, 2) in seconds for sentences with middles `mids` (K,), NaN: no time.

    A window begins every `stride` clips, the last one ends with the video. It gets the sentences whose middle
    lies at most `margin` seconds before its start or `margin` after its end, and all without times.
    Windows without sentences are left out.
    """
    clips = len(times)
    everything = np.arange(len(mids))
    if windowing.mode == "global" or clips <= windowing.size:
        return [Window(0, clips, everything)] if clips and len(mids) else []
    starts = [*range(0, clips - windowing.size, windowing.stride), clips - windowing.size]
    windows = []
    for start in starts:
        stop = start + windowing.size
        low, high = times[start, 0] - windowing.margin, times[stop - 1, 1] + windowing.margin
        chosen = everything[np.isnan(mids) | ((mids >= low) & (mids <= high))]
        if len(chosen):
            windows.append(Window(start, stop, chosen))
    return windows


def for_long_videos(windowing: Windowing) -> Windowing:
    """The same for a model that reads whole videos, and only those beyond `LONGEST` in windows."""
    return replace(windowing, size=LONGEST, stride=LONGEST // 2)


def pieces(start: int, stop: int, size: int) -> list[tuple[int, int]]:
    """Windows of `size` clips every half of it over clips `start`..`stop`; the last may be shorter."""
    step = max(1, size // 2)
    last = max(0, -(-(stop - start - size) // step))
    return [(first, min(first + size, stop)) for first in range(start, start + last * step + 1, step)]


def recorded(scorer: str, config: Mapping[str, Any], windowing: Windowing) -> dict[str, Any]:
    """What alignments say of the windows of a scorer, its card's config and what was asked for."""
    if scorer == "tempclr":
        size = int(config.get("clips", CLIPS))
        return {"mode": "overlap", "size": size, "stride": max(1, size // 2)}
    return asdict(for_long_videos(windowing) if scorer == "nsva" else windowing)


def plan_htm_align(
    seconds: int, mids: NDArray[np.float64], alignable: Sequence[bool], size: int = 64
) -> list[Window]:
    """The windows of the published HTM-Align evaluation, blind to the true times of alignable sentences.

    Only the times of non-alignable sentences choose; a window gets the contiguous range between them, drawn
    to the first sentence in the first four windows and else to the last one in the last four.
    """
    starts = range(0, seconds - size // 2, size // 4)
    fixed = np.flatnonzero(~np.asarray(alignable, dtype=bool))
    windows = []
    for index, start in enumerate(starts):
        near = fixed[(mids[fixed] >= start - size) & (mids[fixed] <= start + 2 * size)]
        if not len(near):
            continue
        left, right = int(near.min()), int(near.max())
        if index <= 3:
            left = 0
        elif index >= len(starts) - 4:
            right = len(mids) - 1
        windows.append(Window(start, min(seconds, start + size), np.arange(left, right + 1)))
    return windows


class Stitcher:
    """Mean of overlapping windows' scores."""

    def __init__(self, sentences: int, clips: int) -> None:
        self._sum = np.zeros((sentences, clips), dtype=np.float64)
        self._count = np.zeros((sentences, clips), dtype=np.int32)

    def add(self, window: Window, scores: NDArray[np.floating]) -> None:
        """Add scores (k, w) of the window's sentences and clips."""
        place = np.ix_(window.sentences, np.arange(window.start, window.stop))
        self._sum[place] += scores
        self._count[place] += 1

    def mean(self) -> NDArray[np.float32]:
        """(K, T), NaN where no window scored the cell."""
        with np.errstate(invalid="ignore"):
            return (self._sum / self._count).astype(np.float32)

"""What every reader gives: frames with the interval of time in which a player shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Size = tuple[int, int]

TIME_NOISE = 1e-6
"""Seconds by which two times may differ and still be the same time."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a reader knows before the first pass.

    `width` and `height` are as displayed, after rotation. `duration` is the end of the pictures as the
    container claims it, `video_start` the first picture, both in seconds from second 0. `reader` is name and
    version, `reason` one sentence on why it was taken.
    """

    width: int
    height: int
    duration: float | None
    video_start: float
    codec: str
    reader: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture, `pixels` (H, W, 3) RGB, shown in [`start`, `end`) seconds from second 0."""

    pixels: Pixels
    start: float
    end: float


class VideoReader(Protocol):
    """One video. Every call of `frames` or `frames_at` is one pass from the beginning, in order of time.

    `truncated` and `decoded_until` (end of the last picture) are valid once a pass has ended.
    """

    info: VideoInfo
    truncated: bool
    decoded_until: float | None

    def frames(self, size: Size | None = None) -> Iterator[Frame]:
        """Every frame, scaled to `size` (width, height)."""
        ...

    def frames_at(self, times: Iterable[float], size: Size | None = None) -> Iterator[Frame | None]:
        """The frame shown at each of the ascending `times` in seconds; only these are converted to RGB.

        None before the first picture; ends at the first time past the end of the last one, so `times` may
        be endless. Neighbouring times inside one frame give the same object. Raises ValueError where `times`
        go back.
        """
        ...

    def close(self) -> None:
        """Give back what the reader holds; a pass that is under way is over."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

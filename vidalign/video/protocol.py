"""What every reader gives: frames with the interval of time in which a player shows them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from numpy.typing import NDArray

Pixels = NDArray[Any]
"""(H, W, 3) RGB, uint8; float32 in 0..255 where a scaling does not round."""
Size = tuple[int, int]

TIME_NOISE = 1e-6
"""Seconds by which two times may differ and still be the same time."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """How a picture is scaled: to `size` (width, height), None for its own.

    `rounding` gives uint8, as PIL does, else float32 in 0..255. `antialias` says nothing of nearest, which
    takes the pixel that lies over the middle of the new one.
    """

    size: Size | None = None
    interpolation: Literal["bilinear", "bicubic", "nearest"] = "bilinear"
    antialias: bool = True
    rounding: bool = True


AS_IT_IS = Scaling()


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a reader knows before the first pass.

    `width` and `height` are as displayed, after rotation. `time_base` is the tick of the stream's clock in
    seconds, `rate` its frames a second, None where the file does not tell. `duration` is the end of the
    pictures as the container claims it, `video_start` the first picture, both in seconds from second 0.
    `reader` is name and version, `reason` one sentence on why it was taken.
    """

    width: int
    height: int
    duration: float | None
    video_start: float
    codec: str
    reader: str
    reason: str
    time_base: Fraction | None = None
    rate: Fraction | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture, `pixels` (H, W, 3) RGB, shown in [`start`, `end`) seconds from second 0."""

    pixels: Pixels
    start: float
    end: float


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One picture of a pass, shown in [`start`, `end`) seconds, in the scalings that were wanted of it.

    `again`: the picture before, which is shown longer than was thought.
    """

    start: float
    end: float
    pixels: Mapping[Scaling, Pixels]
    again: bool = False


Wanted = Callable[[float, float], Collection[Scaling]]
"""Of the picture shown in [start, end): the scalings in which it is wanted, none for not at all."""


class VideoReader(Protocol):
    """One video. Each call of `pictures`, `frames` or `frames_at` is one pass from the beginning, in order of
    time.

    `truncated` and `decoded_until` (end of the last picture) are valid once a pass has ended.
    """

    info: VideoInfo
    truncated: bool
    decoded_until: float | None

    def pictures(self, wanted: Wanted) -> Iterator[Shot]:
        """Every picture; those wanted are converted to RGB once, and scaled once for each scaling.

        `wanted` is asked about a picture just before it is given, and may be asked again.
        """
        ...

    def frames(self, scaling: Scaling = AS_IT_IS) -> Iterator[Frame]:
        """Every frame."""
        ...

    def frames_at(self, times: Iterable[float], scaling: Scaling = AS_IT_IS) -> Iterator[Frame | None]:
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

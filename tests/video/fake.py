"""A reader without a file, whose pictures tell their number."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from fractions import Fraction

import numpy as np

from vidalign.types import Recipe
from vidalign.video.clips import Clip
from vidalign.video.protocol import AS_IT_IS, Frame, Pixels, Scaling, Shot, VideoInfo, Wanted
from vidalign.video.timeline import Picture, delivered, every, shown_at


class FakeReader:
    """Pictures of one grey level each: picture n, of level n % 251 + 1, is shown from start + n / fps on."""

    def __init__(self, seconds: float, fps: Fraction, start: float = 0.0) -> None:
        number = round(seconds * fps)
        self.starts = [start + float(n / fps) for n in range(number)]
        self.end = start + float(number / fps)
        self.info = VideoInfo(8, 4, self.end, start, "none", "fake", "a test")
        self.truncated = False
        self.decoded_until: float | None = None
        self.converted: list[int] = []
        self.passes = 0

    def _pictures(self) -> Iterator[Picture]:
        for n, (start, end) in enumerate(zip(self.starts, [*self.starts, self.end][1:], strict=True)):
            self.decoded_until = end
            yield Picture(start, end, lambda scalings, n=n: self._convert(n, scalings))

    def _convert(self, n: int, scalings: Collection[Scaling]) -> Mapping[Scaling, Pixels]:
        if scalings:
            self.converted.append(n)
        kinds = {True: np.uint8, False: np.float32}
        sizes = {scaling: scaling.size or (8, 4) for scaling in scalings}
        return {
            scaling: np.full((height, width, 3), n % 251 + 1, kinds[scaling.rounding])
            for scaling, (width, height) in sizes.items()
        }

    def pictures(self, wanted: Wanted) -> Iterator[Shot]:
        self.passes += 1
        return delivered(self._pictures(), wanted)

    def frames(self, scaling: Scaling = AS_IT_IS) -> Iterator[Frame]:
        return every(self.pictures, scaling)

    def frames_at(self, times: Iterable[float], scaling: Scaling = AS_IT_IS) -> Iterator[Frame | None]:
        return shown_at(self.pictures, times, scaling)

    def shown(self, time: float, recipe: Recipe) -> int:
        """The picture that `recipe` has to sample at `time`, -1 for none."""
        if recipe.tail == "drop" and 0 <= self.starts[0] - time <= 0.5 / recipe.sample_rate + 1e-6:
            return 0
        begun = sum(start <= time + 1e-6 for start in self.starts)
        return begun - 1 if time < self.end - 1e-6 else -1

    def close(self) -> None: ...

    def __enter__(self) -> FakeReader:
        return self

    def __exit__(self, *_: object) -> None: ...


def levels(clip: Clip) -> list[int]:
    return [int(pixels[0, 0, 0]) - 1 for pixels in clip.pixels[0]]


def spans(clips: Iterable[Clip]) -> list[tuple[float, float]]:
    return [(round(clip.start, 9), round(clip.end, 9)) for clip in clips]

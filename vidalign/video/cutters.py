"""One recipe's part in a pass over a video: which pictures it wants, and the clips that come of them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple, Protocol

import numpy as np

from vidalign.recipe import Recipe
from vidalign.video.framing import crops, scaling
from vidalign.video.protocol import TIME_NOISE, Pixels, Shot, VideoInfo, VideoReader
from vidalign.video.sampling import Windows, dense_indices, uniform_indices

Views = tuple[Pixels, ...]
"""The crops of one frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """What one feature sees: `frames`, V views of N pictures (H, W, 3) each, of [`start`, `end`) seconds.

    Clips that overlap share their pictures. A clip that had to be filled covers less than the recipe's
    length: only up to the video's end, or from its first picture.
    """

    frames: tuple[tuple[Pixels, ...], ...]
    start: float
    end: float

    @property
    def pixels(self) -> Pixels:
        """A copy of all pictures, (V, N, H, W, 3), uint8 or, for rounding false, float32 in 0..255."""
        return np.stack([np.stack(view) for view in self.frames])


class Cutter(Protocol):
    """Asked about every picture of a pass, without effect, and then shown it."""

    def wants(self, start: float, end: float) -> bool:
        """Whether the picture that is shown next, in [start, end), is needed."""
        ...

    def take(self, shot: Shot) -> Iterator[Clip]:
        """Be shown a picture; gives the clips that are now complete."""
        ...

    def finish(self, until: float | None) -> Iterator[Clip]:
        """What is left at the end of the pass; `until` is the end of the last picture."""
        ...


def no_beat() -> None:
    """For those whom no signs of life are asked of."""


class Length(NamedTuple):
    """What only a pass over the whole video tells: its pictures, and the end of the last one in seconds."""

    pictures: int
    until: float


def measure(reader: VideoReader, beat: Callable[[], None] = no_beat) -> Length:
    """One pass that converts no picture; `beat` is called at each."""
    starts = array("d")
    for shot in reader.pictures(lambda start, end: ()):
        beat()
        if not shot.again:
            starts.append(shot.start)
    until = reader.decoded_until or 0.0
    return Length(sum(start < until - TIME_NOISE for start in starts), until)


def cutter(recipe: Recipe, info: VideoInfo, length: Length | None) -> Cutter:
    """The cutter of a recipe; `length` must be known where the recipe samples the whole video."""
    if recipe.sampling != "stride":
        if length is None:
            raise TypeError("dense and uniform sampling need the length of the video")
        return WholeCutter(recipe, info, length)
    return CountCutter(recipe, info) if recipe.fps == "native" else TimeCutter(recipe, info)


class TimeCutter:
    """Clips that begin every so often and sample the frames shown at exact times."""

    def __init__(self, recipe: Recipe, info: VideoInfo) -> None:
        self._recipe, self._info = recipe, info
        self._scaling = scaling(info, recipe)
        self._windows = Windows(recipe, info)
        self._reach = 0.5 / recipe.sample_rate + TIME_NOISE if recipe.tail == "drop" else 0.0
        self._first = 0
        self._next = self._windows.next_sample(-1, 0)
        self._seen: dict[int, Views | None] = {}

    def wants(self, start: float, end: float) -> bool:
        """See `Cutter.wants`."""
        tick = self._next
        while (time := self._time(tick)) < end - TIME_NOISE:
            if time >= start - TIME_NOISE:
                return True
            tick = self._windows.next_sample(tick, self._first)
        return False

    def take(self, shot: Shot) -> Iterator[Clip]:
        """See `Cutter.take`."""
        windows, views = self._windows, None
        while (time := self._time(self._next)) < shot.end - TIME_NOISE:
            if time >= shot.start - TIME_NOISE:
                views = views or crops(shot.pixels[self._scaling], self._recipe)
            self._seen[self._next] = views
            self._next = windows.next_sample(self._next, self._first)
        while self._time(windows.begin(self._first) + windows.grid_end) < shot.end - TIME_NOISE:
            yield from self._clip(self._first, None)
            self._first += 1
            self._forget()

    def finish(self, until: float | None) -> Iterator[Clip]:
        """See `Cutter.finish`."""
        while self._windows.begin(self._first) < self._next:
            yield from self._clip(self._first, until)
            self._first += 1

    def _time(self, tick: int) -> float:
        """Seconds; for tail drop a time just before the first picture is moved onto it."""
        time, start = self._windows.seconds(tick), self._info.video_start
        return start if start - self._reach <= time < start else time

    def _forget(self) -> None:
        oldest = self._windows.earliest(self._first)
        while self._seen and (tick := next(iter(self._seen))) < oldest:
            del self._seen[tick]

    def _clip(self, number: int, until: float | None) -> Iterator[Clip]:
        windows = self._windows
        samples = [self._seen.get(tick) for tick in windows.samples(number)]
        filled = fill(samples, self._recipe)
        if filled is None:
            return
        begin = windows.begin(number)
        start, end = windows.seconds(begin), windows.seconds(begin + windows.length)
        if samples[0] is None:
            start = max(start, self._info.video_start)
        yield Clip(filled, start, end if until is None else min(end, until))


@dataclass(slots=True)
class _Begun:
    """A clip under way, that began with picture number `index`, at `start` seconds."""

    index: int
    start: float
    views: list[Views | None] = field(default_factory=list)


class CountCutter:
    """Clips of the stream's own frames, counted one by one.

    A clip begins at every `stride`-th picture or, for a stride in seconds, at each picture that is shown at a
    multiple of it; the first picture always begins one.
    """

    def __init__(self, recipe: Recipe, info: VideoInfo) -> None:
        self._recipe = recipe
        self._scaling = scaling(info, recipe)
        self._covered = recipe.frames * recipe.step
        self._at = 0
        self._begun: list[_Begun] = []

    def wants(self, start: float, end: float) -> bool:
        """See `Cutter.wants`."""
        return self._begins(start, end) or any(self._samples(clip) for clip in self._begun)

    def take(self, shot: Shot) -> Iterator[Clip]:
        """See `Cutter.take`."""
        if shot.again:
            return
        if self._begins(shot.start, shot.end):
            self._begun.append(_Begun(self._at, shot.start))
        views: Views | None = None
        for clip in self._begun:
            if self._samples(clip):
                views = views or crops(shot.pixels[self._scaling], self._recipe)
                clip.views.append(views)
        self._at += 1
        while self._begun and self._at == self._begun[0].index + self._covered:
            yield from self._clip(self._begun.pop(0), shot.end)

    def finish(self, until: float | None) -> Iterator[Clip]:
        """See `Cutter.finish`."""
        for clip in self._begun:
            yield from self._clip(clip, clip.start if until is None else until)

    def _begins(self, start: float, end: float) -> bool:
        recipe = self._recipe
        if self._at == 0 or recipe.stride_unit == "frames":
            return self._at % int(recipe.stride) == 0 if recipe.stride_unit == "frames" else True
        stride = recipe.stride_seconds
        return float(ceil((start - TIME_NOISE) / stride) * stride) < end - TIME_NOISE

    def _samples(self, clip: _Begun) -> bool:
        number, between = divmod(self._at - clip.index, self._recipe.step)
        return between == 0 and number < self._recipe.frames

    def _clip(self, clip: _Begun, end: float) -> Iterator[Clip]:
        missing = self._recipe.frames - len(clip.views)
        filled = fill(clip.views + [None] * missing, self._recipe)
        if filled is not None:
            yield Clip(filled, clip.start, end)


class _Held(NamedTuple):
    """A sampled frame and the seconds for which it stands."""

    views: Views
    start: float
    end: float


class WholeCutter:
    """One row a video: all temporal views, one after the other, as views of one clip.

    What is sampled before the first picture shows it.
    """

    def __init__(self, recipe: Recipe, info: VideoInfo, length: Length) -> None:
        self._recipe = recipe
        self._scaling = scaling(info, recipe)
        total = length.pictures if recipe.fps == "native" else self._number_at(length.until)
        self._views: list[list[int]] = []
        if total > 0 and recipe.sampling == "dense":
            self._views = dense_indices(total, recipe.frames, recipe.step, recipe.views)
        elif total > 0:
            self._views = uniform_indices(total, recipe.frames, recipe.views)
        self._needed = {index for view in self._views for index in view}
        self._at = 0
        self._held: dict[int, _Held] = {}

    def wants(self, start: float, end: float) -> bool:
        """See `Cutter.wants`."""
        return bool(self._here(end))

    def take(self, shot: Shot) -> Iterator[Clip]:
        """See `Cutter.take`."""
        native = self._recipe.fps == "native"
        if shot.again and native:
            return iter(())
        here = self._here(shot.end)
        if here:
            views = crops(shot.pixels[self._scaling], self._recipe)
            for index in here:
                times = (shot.start, shot.end) if native else self._times(index)
                self._held[index] = _Held(views, *times)
        self._at = self._at + 1 if native else max(self._at, self._number_at(shot.end))
        return iter(())

    def finish(self, until: float | None) -> Iterator[Clip]:
        """See `Cutter.finish`."""
        if not self._held or until is None:
            return
        last = max(self._held)
        picked = [[self._held.get(index, self._held[last]) for index in view] for view in self._views]
        frames = (views for view in picked for views in zip(*(held.views for held in view), strict=True))
        end = max(held.end for held in self._held.values())
        yield Clip(tuple(frames), min(held.start for held in self._held.values()), min(end, until))

    def _here(self, end: float) -> list[int]:
        """The needed samples that the next picture, shown until `end`, gives."""
        after = self._at + 1 if self._recipe.fps == "native" else self._number_at(end)
        return [index for index in range(self._at, after) if index in self._needed]

    def _number_at(self, end: float) -> int:
        """Samples that lie before `end` seconds."""
        return max(0, ceil((end - TIME_NOISE) / self._recipe.period))

    def _times(self, index: int) -> tuple[float, float]:
        return float(index * self._recipe.period), float((index + 1) * self._recipe.period)


def fill(samples: Sequence[Views | None], recipe: Recipe) -> tuple[tuple[Pixels, ...], ...] | None:
    """N frames in V crops -> V views of N pictures, gaps filled as the recipe's tail says; None: no clip."""
    real = [k for k, views in enumerate(samples) if views is not None]
    if not real or (recipe.tail == "drop" and len(real) < len(samples)):
        return None
    kept = [views for views in samples if views is not None]
    before, after = kept[0], kept[-1]
    if recipe.tail == "zero" and len(kept) < len(samples):
        before = after = tuple(np.zeros_like(pixels) for pixels in kept[0])
    filled = [before] * real[0] + kept + [after] * (len(samples) - 1 - real[-1])
    return tuple(zip(*filled, strict=True))

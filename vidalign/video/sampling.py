"""Which frames a recipe samples: arithmetic only, in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import floor, gcd

import numpy as np

from vidalign.recipe import Recipe
from vidalign.video.protocol import VideoInfo


class Windows:
    """When the clips of a recipe with stride sampling and a number of fps begin and sample.

    Times are whole `ticks` of the longest unit that divides all of them: the stride, the sampling period and,
    for the floor quirk, a frame of the stream.
    """

    def __init__(self, recipe: Recipe, info: VideoInfo) -> None:
        stride, period = recipe.stride_seconds, recipe.period
        self._info = info
        self._quirk = recipe.floor_quirk and info.rate is not None and info.time_base is not None
        frame = 1 / info.rate if self._quirk and info.rate else period
        self.unit = _common(_common(stride, period), frame)
        self._stride = stride
        self._stride_ticks, self._frame_ticks = int(stride / self.unit), int(frame / self.unit)
        self._every = int(period / self.unit) * recipe.step
        self._last = self._every * (recipe.frames - 1)
        self.length = int(recipe.clip_seconds / self.unit)
        self.grid_end = self.length - int(period / self.unit)
        """From a clip's begin to the last sample that it would have with a step of one."""
        self._frames = recipe.frames

    def seconds(self, tick: int) -> float:
        """A tick in seconds from second 0."""
        return tick * self.unit.numerator / self.unit.denominator

    def begin(self, number: int) -> int:
        """The tick at which clip `number` begins."""
        return number * self._stride_ticks - (self._frame_ticks if self._early(number) else 0)

    def earliest(self, number: int) -> int:
        """A tick before which neither clip `number` nor a later one samples."""
        return number * self._stride_ticks - self._frame_ticks

    def samples(self, number: int) -> range:
        """The ticks that clip `number` samples."""
        begin = self.begin(number)
        return range(begin, begin + self._last + 1, self._every)

    def next_sample(self, after: int, first: int) -> int:
        """The first tick later than `after` that some clip from number `first` on samples."""
        best: int | None = None
        number = first
        while best is None or self.earliest(number) < best:
            begin = self.begin(number)
            tick = begin if after < begin else after + self._every - (after - begin) % self._every
            if tick <= begin + self._last and (best is None or tick < best):
                best = tick
            number += 1
        return best

    def _early(self, number: int) -> bool:
        info = self._info
        if not self._quirk or info.time_base is None or info.rate is None:
            return False
        return begins_early(number * self._stride, info.time_base, info.rate)


def begins_early(start: Fraction, time_base: Fraction, rate: Fraction) -> bool:
    """Whether `start` (seconds), rounded down to the clock's tick in double precision, lies before the frame
    that is shown then, in a stream of constant `rate`.

    torchvision's read_video took the frame before along in that case, so that TSP's windows begin with it.
    """
    frame = floor(start * rate) / rate
    return floor(float(start) * float(1 / time_base)) < floor(frame / time_base)


def dense_indices(total: int, frames: int, step: int, views: int) -> list[list[int]]:
    """TSN's and TAM's dense test sampling of `total` frames: `views` clips that begin evenly over the video.

    A single view begins in the middle. Past the end it goes on at the beginning.
    """
    places = max(1, 1 + total - step * frames)
    starts = [places // 2] if views == 1 else np.linspace(0, places - 1, views, dtype=int).tolist()
    return [[(start + k * step) % total for k in range(frames)] for start in starts]


def uniform_indices(total: int, frames: int, views: int) -> list[list[int]]:
    """TSN's and TAM's uniform test sampling: a frame out of each of `frames` equal parts of the video.

    A single view takes their middles, several begin evenly over the first part.
    """
    tick = total / frames
    starts = [tick / 2] if views == 1 else np.linspace(0, max(0.0, tick - 1), views, dtype=int).tolist()
    return [[int(start + tick * k) % total for k in range(frames)] for start in starts]


def _common(one: Fraction, other: Fraction) -> Fraction:
    """The largest fraction of which both are multiples."""
    shared = gcd(one.numerator * other.denominator, other.numerator * one.denominator)
    return Fraction(shared, one.denominator * other.denominator)

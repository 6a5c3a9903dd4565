"""Frames become clips: which times a recipe samples, how frames are resized and cropped, what fills gaps."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, tee

import numpy as np

from vidalign.types import Recipe
from vidalign.video.protocol import TIME_NOISE, Frame, Pixels, Size, VideoInfo, VideoReader


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """What one feature sees: `pixels` (N, H, W, 3) uint8, resized and cropped, of [`start`, `end`) seconds.

    A clip that had to be filled covers less than the recipe's length: only up to the video's end, or from
    its first picture.
    """

    pixels: Pixels
    start: float
    end: float


def frame_size(info: VideoInfo, recipe: Recipe) -> Size:
    """(width, height) to which frames are scaled before cropping.

    Resize short: the shorter side becomes `recipe.size`, the longer keeps the ratio, rounded half up.
    """
    if recipe.resize == "exact":
        height, width = recipe.size if isinstance(recipe.size, tuple) else (recipe.size, recipe.size)
        return width, height
    if isinstance(recipe.size, tuple):
        raise TypeError("a size of two numbers goes with resize exact")
    short = min(info.width, info.height)
    width, height = ((2 * side * recipe.size + short) // (2 * short) for side in (info.width, info.height))
    return width, height


def crop(pixels: Pixels, recipe: Recipe) -> Pixels:
    """The central square of (H, W, 3), offsets rounded down; the whole picture for crop none."""
    if recipe.crop == "none":
        return pixels
    height, width = pixels.shape[:2]
    side = recipe.crop_size
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def cut_clips(reader: VideoReader, recipe: Recipe) -> Iterator[Clip]:
    """Cut the whole video in one pass; every frame is decoded and converted once, however clips overlap.

    Clip i samples the frames shown at i * stride + k / fps, k < frames. Where some are missing, at the end or
    before the first picture, the recipe's tail says: drop leaves the clip out, but a sample at most half a
    sampling period before the first picture takes that picture; zero fills with black; repeat with the
    clip's nearest frame. A clip without any frame of the video is never made.
    """
    marks, ahead = tee(_schedule(recipe))
    times = _nudged((float(time) for time, _, _ in ahead), reader.info.video_start, recipe)
    open_clips: dict[int, list[Pixels | None]] = {}
    seen: Frame | None = None
    cropped: Pixels | None = None
    for frame, (_, number, k) in zip(
        reader.frames_at(times, frame_size(reader.info, recipe)), marks, strict=False
    ):
        if frame is not None and frame is not seen:
            seen, cropped = frame, np.ascontiguousarray(crop(frame.pixels, recipe))
        samples = open_clips.setdefault(number, [])
        samples.append(None if frame is None else cropped)
        if k == recipe.frames - 1:
            yield from _finish(number, open_clips.pop(number), recipe, reader)
    for number in sorted(open_clips):
        samples = open_clips[number]
        samples += [None] * (recipe.frames - len(samples))
        yield from _finish(number, samples, recipe, reader)


def _schedule(recipe: Recipe) -> Iterator[tuple[Fraction, int, int]]:
    """Endless (time, clip, k) in order of time, exact; clips that begin at the same time in their order."""
    stride, period = recipe.stride_seconds, recipe.step * recipe.period
    under_way: list[tuple[Fraction, int, int]] = []
    for number in count():
        begin = number * stride
        while under_way and under_way[0][0] < begin:
            time, clip, k = under_way.pop(0)
            yield time, clip, k
            if k + 1 < recipe.frames:
                insort(under_way, (clip * stride + (k + 1) * period, clip, k + 1))
        insort(under_way, (begin, number, 0))


def _nudged(times: Iterator[float], video_start: float, recipe: Recipe) -> Iterator[float]:
    """For tail drop: times just before the first picture moved onto it."""
    reach = 0.5 / recipe.sample_rate + TIME_NOISE if recipe.tail == "drop" else 0.0
    for time in times:
        yield video_start if video_start - reach <= time < video_start else time


def _finish(number: int, samples: list[Pixels | None], recipe: Recipe, reader: VideoReader) -> Iterator[Clip]:
    real = [k for k, pixels in enumerate(samples) if pixels is not None]
    if not real or (recipe.tail == "drop" and len(real) < recipe.frames):
        return
    first, last = real[0], real[-1]
    start = number * recipe.stride_seconds
    end = float(start + recipe.clip_seconds)
    if last < recipe.frames - 1 and reader.decoded_until is not None:
        end = min(end, reader.decoded_until)
    begin = float(start) if first == 0 else max(float(start), reader.info.video_start)
    kept = [pixels for pixels in samples if pixels is not None]
    blank = np.zeros_like(kept[0])
    before, after = (kept[0], kept[-1]) if recipe.tail == "repeat" else (blank, blank)
    filled = [before] * first + kept + [after] * (recipe.frames - 1 - last)
    yield Clip(np.stack(filled), begin, end)

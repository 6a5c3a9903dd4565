"""Which times a clip samples, what fills gaps, how pixels are prepared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import count, takewhile
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.video.fake import FakeReader, levels, spans
from vidalign.types import Recipe
from vidalign.video.clips import Clip, cut_clips
from vidalign.video.open import open_video
from vidalign.video.sampling import Windows

S3D = Recipe("s3d-16fps", fps=16, frames=16, stride=1, size=4, crop_size=4, layer="mixed_5c")


def cut(seconds: float, fps: float | Fraction, recipe: Recipe, start: float = 0.0) -> list[Clip]:
    return list(cut_clips(FakeReader(seconds, Fraction(fps), start), recipe))


def test_sixteen_of_thirty_frames_a_second() -> None:
    clips = cut(3.0, 30, S3D)
    assert spans(clips) == [(0, 1), (1, 2), (2, 3)]
    for number, clip in enumerate(clips):
        assert levels(clip) == [number * 30 + k * 30 // 16 for k in range(16)]
        assert clip.pixels.shape == (1, 16, 4, 4, 3)
        assert clip.pixels.dtype == np.uint8
        assert clip.pixels.flags.c_contiguous


def test_ntsc_sources_never_drift() -> None:
    """At 29.97 frames a second, second 900 still samples by time, not by number."""
    rate = Fraction(30000, 1001)
    reader = FakeReader(1000, rate)
    for number, clip in enumerate(cut_clips(reader, S3D)):
        expected = [int((number + Fraction(k, 16)) * rate) % 251 for k in range(16)]
        assert levels(clip) == expected
    assert number == 999


def test_source_and_recipe_of_the_same_rate_take_every_frame() -> None:
    recipe = replace(S3D, fps=29.97, frames=30, stride=1.001001001001001)
    clips = cut(10.0, Fraction("29.97"), recipe)
    assert [level for clip in clips[:2] for level in levels(clip)] == list(range(60))


def test_a_slower_source_repeats_its_frames() -> None:
    assert levels(cut(1.0, 4, S3D)[0]) == [n // 4 for n in range(16)]


def test_sample_times_are_exact() -> None:
    recipe = replace(S3D, fps=29.97, frames=7, stride=0.7)
    windows = Windows(recipe, FakeReader(8.0, Fraction(10)).info)
    ticks = [windows.next_sample(-1, 0)]
    while windows.seconds(ticks[-1]) < 8:
        ticks.append(windows.next_sample(ticks[-1], 0))
    starts = takewhile(lambda n: n * Fraction("0.7") < 8, count())
    wanted = sorted({n * Fraction("0.7") + k / Fraction("29.97") for n in starts for k in range(7)})
    assert [windows.seconds(tick) for tick in ticks[:-1]] == [float(time) for time in wanted if time < 8]


@pytest.mark.parametrize("tail", ["drop", "zero", "repeat"])
def test_overlapping_clips_convert_each_frame_once(tail: str) -> None:
    reader = FakeReader(9.0, Fraction(10))
    recipe = replace(S3D, fps=10, frames=32, stride=0.5, tail=tail)
    clips = list(cut_clips(reader, recipe))
    assert reader.converted == list(range(90))
    assert len(clips) == (12 if tail == "drop" else 18)
    for number, clip in enumerate(clips[:12]):
        assert levels(clip) == list(range(number * 5, number * 5 + 32))


def test_clips_with_gaps_between() -> None:
    reader = FakeReader(6.0, Fraction(10))
    clips = list(cut_clips(reader, replace(S3D, fps=10, frames=5, stride=2)))
    assert spans(clips) == [(0, 0.5), (2, 2.5), (4, 4.5)]
    assert reader.converted == [0, 1, 2, 3, 4, 20, 21, 22, 23, 24, 40, 41, 42, 43, 44]


@pytest.mark.parametrize(
    ("tail", "last", "end"),
    [
        ("drop", [16, 17, 18, 19, 20, 21, 22, 23], 3.0),
        ("zero", [24, 25, 26, 27, -1, -1, -1, -1], 3.5),
        ("repeat", [24, 25, 26, 27, 27, 27, 27, 27], 3.5),
    ],
)
def test_tail(tail: str, last: list[int], end: float) -> None:
    clips = cut(3.5, 8, replace(S3D, fps=8, frames=8, tail=tail))
    assert levels(clips[-1]) == last
    assert clips[-1].end == pytest.approx(end)
    assert len(clips) == (3 if tail == "drop" else 4)


@pytest.mark.parametrize(("tail", "number"), [("drop", 0), ("zero", 1), ("repeat", 1)])
def test_shorter_than_a_clip(tail: str, number: int) -> None:
    clips = cut(0.5, 8, replace(S3D, fps=8, frames=8, tail=tail))
    assert len(clips) == number
    for clip in clips:
        assert levels(clip)[:4] == [0, 1, 2, 3]
        assert (clip.start, clip.end) == (0.0, 0.5)


def test_a_clip_whose_samples_are_all_there_is_complete() -> None:
    """The video ends after the last sample, though before the clip's nominal end."""
    clips = cut(0.95, 20, S3D)
    assert spans(clips) == [(0, 1)]


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("drop", [(2.0, 3.0), (3.0, 4.0)]),
        ("zero", [(1.25, 2.0), (2.0, 3.0), (3.0, 4.0), (4.0, 4.25)]),
        ("repeat", [(1.25, 2.0), (2.0, 3.0), (3.0, 4.0), (4.0, 4.25)]),
    ],
)
def test_pictures_that_begin_late(tail: str, expected: list[tuple[float, float]]) -> None:
    """Pictures in [1.25, 4.25): clip 0 has none and is never made."""
    clips = cut(3.0, 8, replace(S3D, fps=8, frames=8, tail=tail), start=1.25)
    assert spans(clips) == expected
    head = {"zero": [-1, -1, 0, 1, 2, 3, 4, 5], "repeat": [0, 0, 0, 1, 2, 3, 4, 5]}
    if tail in head:
        assert levels(clips[0]) == head[tail]


@pytest.mark.parametrize(("start", "made"), [(0.0624, True), (0.0626, False)])
def test_drop_forgives_half_a_sampling_period_at_the_head(start: float, made: bool) -> None:
    clips = cut(3.0, 100, replace(S3D, fps=8, frames=8), start=start)
    assert spans(clips)[0] == ((0, 1) if made else (1, 2))
    if made:
        assert levels(clips[0])[0] == 0
        assert levels(clips[0])[1] == int((0.125 - start) * 100)


def test_no_pictures_no_clips() -> None:
    assert cut(0.0, 8, replace(S3D, tail="zero")) == []


@settings(max_examples=60, deadline=None)
@given(
    seconds=st.integers(2, 50).map(lambda n: n / 10),
    rate=st.sampled_from([Fraction(5), Fraction(25), Fraction(30000, 1001)]),
    fps=st.sampled_from([3.0, 10.0, 16.0, 23.976]),
    frames=st.integers(1, 20),
    stride=st.sampled_from([0.25, 0.32, 1.0, 1.7]),
    tail=st.sampled_from(["drop", "zero", "repeat"]),
    start=st.sampled_from([0.0, 0.02, 0.7]),
)
def test_any_recipe_on_any_video(
    seconds: float, rate: Fraction, fps: float, frames: int, stride: float, tail: Any, start: float
) -> None:
    """Against the rule said plainly: each sample is the last picture that began by then."""
    recipe = replace(S3D, fps=fps, frames=frames, stride=stride, tail=tail)
    reader = FakeReader(seconds, rate, start)
    made = [levels(clip) for clip in cut_clips(reader, recipe)]
    assert reader.converted == sorted(set(reader.converted))
    expected = []
    for number in range(int(reader.end / stride) + 1):
        begin = number * Fraction(str(stride))
        truth = [reader.shown(float(begin + k / Fraction(str(fps))), recipe) for k in range(frames)]
        real = [level for level in truth if level >= 0]
        if not real or (tail == "drop" and len(real) < frames):
            continue
        if tail == "repeat":
            before = truth.index(real[0])
            truth = [real[0]] * before + real + [real[-1]] * (frames - before - len(real))
        expected.append(truth)
    assert made == expected


def test_a_real_file(make_sample: Callable[[str], Any], read_number: Callable[[Any], int]) -> None:
    """A landscape file of 45 pictures at 30 a second that begin at 0.5 s: clips of half a second."""
    recipe = replace(S3D, fps=10, frames=5, stride=0.5, size=48, crop="none", tail="repeat")
    for reader in ("pyav", "auto"):
        with open_video(make_sample("late_picture").path, reader) as opened:
            clips = list(cut_clips(opened, recipe))
        assert spans(clips) == [(0.5, 1.0), (1.0, 1.5), (1.5, 2.0)]
        assert [[read_number(p) for p in clip.pixels[0]] for clip in clips] == [
            [0, 3, 6, 9, 12],
            [15, 18, 21, 24, 27],
            [30, 33, 36, 39, 42],
        ]


@pytest.mark.parametrize("name", ["broken_mp4", "broken_matroska"])
def test_a_file_that_breaks_off(name: str, make_sample: Callable[[str], Any]) -> None:
    sample = make_sample(name)
    recipe = replace(S3D, fps=30, frames=3, stride=0.1, size=48, crop_size=48)
    with open_video(sample.path) as opened:
        clips = list(cut_clips(opened, recipe))
        assert opened.truncated
        assert opened.decoded_until == pytest.approx(sample.end, abs=1.1e-3)
    assert len(clips) == len(sample.numbers) // 3

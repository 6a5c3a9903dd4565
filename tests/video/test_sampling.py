"""Native rates, strides in frames, dense and uniform sampling and TSP's quirk, against the plain rules."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import count, pairwise
from math import floor
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.video.fake import FakeReader, levels, spans
from vidalign.types import Recipe
from vidalign.video.clips import Clip, cut_clips, cut_many
from vidalign.video.open import open_video
from vidalign.video.sampling import Windows, begins_early, dense_indices, uniform_indices

PLAIN = Recipe("own", 10, 4, 1.0, 4, 4, "mixed_5c")
NATIVE = replace(PLAIN, fps="native", stride=4, stride_unit="frames")
TSP = replace(PLAIN, fps=15, frames=16, stride=16, stride_unit="frames")


def cut(reader: FakeReader, recipe: Recipe) -> list[Clip]:
    return list(cut_clips(reader, recipe))


def views(clip: Clip) -> list[list[int]]:
    return [[int(picture[0, 0, 0]) - 1 for picture in view] for view in clip.frames]


def test_a_stride_in_frames_is_exact() -> None:
    """16 frames at 15 a second are 1.0666... s; the 600th clip begins exactly there."""
    clips = cut(FakeReader(640.0, Fraction(30)), TSP)
    assert len(clips) == 600
    for number, clip in enumerate(clips):
        assert (clip.start, clip.end) == (
            float(Fraction(16 * number, 15)),
            float(Fraction(16 * number + 16, 15)),
        )
        assert levels(clip) == [(32 * number + 2 * k) % 251 for k in range(16)]


def test_every_third_sample() -> None:
    """Four of twelve samples: a clip covers twelve, also the two behind its last."""
    clips = cut(FakeReader(3.0, Fraction(10)), replace(PLAIN, step=3, stride=0.5))
    assert levels(clips[0]) == [0, 3, 6, 9]
    assert spans(clips) == [(0.0, 1.2), (0.5, 1.7), (1.0, 2.2), (1.5, 2.7), (2.0, 3.0)]
    assert levels(clips[-1]) == [20, 23, 26, 29]


@pytest.mark.parametrize(("tail", "number"), [("drop", 2), ("zero", 3), ("repeat", 3)])
def test_native_frames_are_counted(tail: Any, number: int) -> None:
    """Variable spacing does not matter: clips of four pictures, every four."""
    reader = FakeReader(1.0, Fraction(10), start=0.3)
    clips = cut(reader, replace(NATIVE, tail=tail))
    assert [levels(clip) for clip in clips[:2]] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert spans(clips[:2]) == [(0.3, 0.7), (0.7, 1.1)]
    assert len(clips) == number
    if tail != "drop":
        assert levels(clips[2]) == [8, 9, *([-1] * 2 if tail == "zero" else [9] * 2)]
        assert spans(clips[2:]) == [(1.1, 1.3)]


def test_native_frames_with_a_step_overlap() -> None:
    reader = FakeReader(1.0, Fraction(10))
    clips = cut(reader, replace(NATIVE, stride=1, step=2, frames=3))
    assert [levels(clip) for clip in clips] == [[k, k + 2, k + 4] for k in range(6)]
    assert spans(clips) == [(0.0, 0.6), (0.1, 0.7), (0.2, 0.8), (0.3, 0.9), (0.4, 1.0), (0.5, 1.0)]
    assert reader.converted == list(range(10))


def test_native_frames_with_a_stride_in_seconds() -> None:
    """A clip begins at the picture that is shown at each multiple of 0.25 s: 0, 2, 5, 7 of ten a second."""
    reader = FakeReader(1.0, Fraction(10))
    clips = cut(reader, replace(NATIVE, stride=0.25, stride_unit="seconds", frames=2))
    assert [levels(clip) for clip in clips] == [[0, 1], [2, 3], [5, 6], [7, 8]]
    assert reader.converted == [0, 1, 2, 3, 5, 6, 7, 8]
    late = cut(
        FakeReader(1.0, Fraction(10), 0.62), replace(NATIVE, stride=0.5, stride_unit="seconds", frames=2)
    )
    assert [levels(clip) for clip in late] == [[0, 1], [3, 4], [8, 9]]


@pytest.mark.parametrize(
    ("total", "step", "count_", "starts"),
    [
        (300, 8, 10, [0, 26, 52, 78, 104, 131, 157, 183, 209, 236]),
        (64, 8, 3, [0, 0, 0]),
        (66, 8, 3, [0, 1, 2]),
        (40, 8, 1, [0]),
        (300, 8, 1, [118]),
    ],
)
def test_dense_indices(total: int, step: int, count_: int, starts: list[int]) -> None:
    made = dense_indices(total, 8, step, count_)
    assert made == [[(start + k * step) % total for k in range(8)] for start in starts]


def test_uniform_indices() -> None:
    assert uniform_indices(100, 8, 1) == [[6, 18, 31, 43, 56, 68, 81, 93]]
    assert uniform_indices(100, 8, 2) == [
        [0, 12, 25, 37, 50, 62, 75, 87],
        [11, 23, 36, 48, 61, 73, 86, 98],
    ]
    assert uniform_indices(3, 8, 2) == [[0, 0, 0, 1, 1, 1, 2, 2]] * 2


def test_dense_sampling_of_a_video() -> None:
    reader = FakeReader(3.0, Fraction(30), start=0.5)
    recipe = replace(NATIVE, sampling="dense", views=3, frames=4, step=8, stride=1.0)
    (clip,) = cut(reader, recipe)
    assert views(clip) == dense_indices(90, 4, 8, 3)
    assert (clip.start, clip.end) == pytest.approx((0.5, 0.5 + 83 / 30))
    assert reader.passes == 2
    assert reader.converted == sorted({index for view in views(clip) for index in view})


def test_dense_sampling_of_a_short_video_goes_round() -> None:
    (clip,) = cut(FakeReader(1.0, Fraction(10)), replace(NATIVE, sampling="dense", views=2, step=3))
    assert views(clip) == [[0, 3, 6, 9]] * 2
    (clip,) = cut(FakeReader(0.5, Fraction(10)), replace(NATIVE, sampling="dense", views=2, step=3))
    assert views(clip) == [[0, 3, 1, 4]] * 2
    assert (clip.start, clip.end) == (0.0, 0.5)


@pytest.mark.parametrize(("start", "first"), [(0.0, 0), (0.45, 0)])
def test_uniform_sampling_at_a_rate(start: float, first: int) -> None:
    """Of samples at 10 a second; those before the first picture show it."""
    reader = FakeReader(3.0 - start, Fraction(30), start)
    (clip,) = cut(reader, replace(PLAIN, sampling="uniform", views=2))
    expected = [
        [max(0, floor((index / 10 - start) * 30 + 1e-6)) for index in view]
        for view in uniform_indices(30, 4, 2)
    ]
    assert views(clip) == expected
    assert expected[0][0] == first
    assert (clip.start, clip.end) == pytest.approx((0.0, 2.9))


@pytest.mark.parametrize("sampling", ["dense", "uniform"])
def test_no_pictures_no_row(sampling: Any) -> None:
    assert cut(FakeReader(0.0, Fraction(10)), replace(PLAIN, sampling=sampling)) == []
    assert cut(FakeReader(0.0, Fraction(10)), replace(NATIVE, sampling=sampling)) == []


def test_views_of_crops_lie_within_those_of_time() -> None:
    """Views: first all crops of the first start, then of the second."""
    recipe = replace(NATIVE, sampling="dense", views=2, crop="three", resize="none", step=2, frames=2)
    (clip,) = cut(FakeReader(1.0, Fraction(10)), recipe)
    assert clip.pixels.shape == (6, 2, 4, 4, 3)
    assert views(clip) == [[0, 2]] * 3 + [[6, 8]] * 3


RECIPES = [
    PLAIN,
    replace(PLAIN, fps=7, stride=0.3, tail="repeat"),
    replace(PLAIN, size=6, rounding=False),
    replace(NATIVE, tail="zero", step=2),
    replace(NATIVE, stride=0.4, stride_unit="seconds"),
    replace(NATIVE, sampling="dense", views=4, size=6),
    replace(PLAIN, sampling="uniform", frames=7),
]


@settings(max_examples=40, deadline=None)
@given(
    chosen=st.lists(st.sampled_from(RECIPES), min_size=1, max_size=4),
    seconds=st.integers(1, 40).map(lambda n: n / 10),
    rate=st.sampled_from([Fraction(5), Fraction(25), Fraction(30000, 1001)]),
    start=st.sampled_from([0.0, 0.03, 0.7]),
)
def test_one_pass_for_many_is_as_each_alone(
    chosen: list[Recipe], seconds: float, rate: Fraction, start: float
) -> None:
    reader = FakeReader(seconds, rate, start)
    together: list[list[Clip]] = [[] for _ in chosen]
    for number, clip in cut_many(reader, chosen):
        together[number].append(clip)
    assert reader.converted == sorted(set(reader.converted))
    assert reader.passes == 1 + any(recipe.sampling != "stride" for recipe in chosen)
    for recipe, clips in zip(chosen, together, strict=True):
        alone = cut(FakeReader(seconds, rate, start), recipe)
        assert [(clip.start, clip.end, views(clip)) for clip in clips] == [
            (clip.start, clip.end, views(clip)) for clip in alone
        ]
        assert {clip.pixels.dtype for clip in clips} <= {np.dtype("u1" if recipe.rounding else "f4")}


def test_overlapping_clips_share_their_pictures() -> None:
    clips = cut(FakeReader(4.0, Fraction(10)), replace(PLAIN, stride=1, stride_unit="frames", frames=8))
    assert len(clips) == 33
    for one, two in pairwise(clips):
        assert all(a is b for a, b in zip(one.frames[0][1:], two.frames[0], strict=False))


@pytest.mark.parametrize(("timescale", "number"), [(15360, 10), (30000, 19), (90000, 44), (12288, 0)])
def test_how_many_of_tsp_s_windows_begin_a_frame_early(timescale: int, number: int) -> None:
    """Of 625 clips of 16 frames, at 30 frames a second; with stride 1, 2 to 8 of a hundred."""
    tick, rate = Fraction(1, timescale), Fraction(30)
    assert sum(begins_early(Fraction(16 * n, 15), tick, rate) for n in range(625)) == number
    dense = sum(begins_early(Fraction(n, 15), tick, rate) for n in range(9985)) / 9985
    assert (0.019 < dense < 0.08) == (number > 0)


def test_without_the_quirk_every_window_begins_on_time() -> None:
    reader = FakeReader(200.0, Fraction(30))
    info = replace(reader.info, time_base=Fraction(1, 90000), rate=Fraction(30))
    assert [Windows(TSP, info).begin(n) for n in range(100)] == [
        n * int(Fraction(16, 15) / Windows(TSP, info).unit) for n in range(100)
    ]
    unknown = Windows(replace(TSP, floor_quirk=True), reader.info)
    assert [unknown.seconds(unknown.begin(n)) for n in (21, 42)] == [22.4, 44.8]


def write_numbered(path: Path, timescale: int, pictures: int) -> None:
    """Pictures of one grey level each, 30 a second; level 4 * (n % 50) + 20."""
    with av.open(str(path), "w", options={"video_track_timescale": str(timescale)}) as container:
        stream = container.add_stream("libx264", rate=30, options={"qp": "1", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for n in range(pictures):
            grey = np.full((64, 64, 3), 20 + 4 * (n % 50), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode(None))


def as_read_video(stamps: list[int], start: float, length: int, timescale: int) -> list[int]:
    """The picture numbers of TSP's window: torchvision 0.5's read_video, then every second picture.

    From the picture stamped at the start rounded down; where none is, from the one before that.
    """
    begin = floor(start * timescale)
    found = [n for n, stamp in enumerate(stamps) if stamp >= begin]
    if begin > 0 and begin not in stamps:
        found.insert(0, max(n for n, stamp in enumerate(stamps) if stamp < begin))
    return found[::2][:length]


@pytest.mark.parametrize("name", ["pyav", "decord"])
@pytest.mark.parametrize(("timescale", "seconds"), [(90000, 6), (15360, 10)])
def test_tsp_s_windows_of_a_real_file(timescale: int, seconds: int, name: str, tmp_path: Path) -> None:
    """With stride 1, at a timescale at which some windows begin early, as the published features do."""
    path = tmp_path / "quirky.mp4"
    write_numbered(path, timescale, 30 * seconds)
    with av.open(str(path)) as container:
        stamps = sorted(packet.pts for packet in container.demux(video=0) if packet.pts is not None)
    assert stamps == [n * timescale // 30 for n in range(30 * seconds)]
    quirky = replace(TSP, stride=1, size=32, crop_size=32, floor_quirk=True)
    early = 0
    with open_video(path, name) as reader:
        assert (reader.info.time_base, reader.info.rate) == (Fraction(1, timescale), 30)
        for n, clip in zip(count(), cut_clips(reader, quirky), strict=False):
            expected = as_read_video(stamps, 2 * n / 30, 16, timescale)
            shown = [round((float(picture.mean()) - 20) / 4) for picture in clip.frames[0]]
            assert shown == [k % 50 for k in expected]
            assert clip.start == pytest.approx(expected[0] / 30)
            early += expected[0] != 2 * n
    assert n == 15 * seconds - 16
    assert early == {90000: 4, 15360: 1}[timescale]

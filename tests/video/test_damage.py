"""Files that are damaged, not only cut, and memory that stays bounded."""

from __future__ import annotations

import logging
import resource
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from vidalign.types import Recipe
from vidalign.video.clips import cut_clips
from vidalign.video.open import open_video
from vidalign.video.protocol import Scaling

each_reader = pytest.mark.parametrize("reader", ["auto", "pyav"])


NATIVE = Recipe("own", "native", 3, 5, 20, 20, "x", stride_unit="frames", step=2)
UNIFORM = replace(NATIVE, fps=20, sampling="uniform", step=1)
COUNTED = [NATIVE, replace(NATIVE, sampling="dense", views=4), UNIFORM]
"""Recipes that depend on how many pictures there are."""


def cut(sample: Any, folder: Path, kept: float) -> Path:
    path = folder / sample.path.name
    data = sample.path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    return path


@each_reader
@pytest.mark.parametrize(
    ("name", "kept"),
    [
        *(("vp9_odd_size", kept) for kept in (0.4, 0.6, 0.9)),
        *(("vfr_matroska", kept) for kept in (0.4, 0.6, 0.9)),
        *(("fragmented", kept) for kept in (0.4, 0.6, 0.9)),
        *(("mpeg4_avi", kept) for kept in (0.75, 0.85)),
    ],
)
def test_cut_anywhere_gives_what_there_is_and_says_so(
    name: str, reader: str, kept: float, make_sample: Callable[[str], Any], tmp_path: Path, read_number: Any
) -> None:
    sample = make_sample(name)
    with open_video(cut(sample, tmp_path, kept), reader) as opened:
        frames = list(opened.frames())
        numbers = [read_number(frame.pixels) for frame in frames]
        assert numbers == sorted(set(numbers))
        starts = [sample.starts[number] for number in numbers]
        if name == "mpeg4_avi":
            starts[-1] = frames[-1].start  # counted from the pictures before it, of which one is missing
        assert [frame.start for frame in frames] == pytest.approx(starts, abs=2e-3)
        assert opened.decoded_until == frames[-1].end
        if frames[-1].end < sample.end - 0.5:
            assert opened.truncated


def test_a_cut_transport_stream_is_read_as_far_as_it_goes(
    make_sample: Callable[[str], Any], tmp_path: Path, read_number: Any
) -> None:
    """The format states no length, so that it is cut can only show by a damaged packet."""
    sample = make_sample("transport_stream")
    with open_video(cut(sample, tmp_path, 0.5)) as opened:
        numbers = [read_number(f.pixels) for f in opened.frames()]
    assert 5 < len(numbers) < 45
    assert numbers == sorted(set(numbers))
    assert numbers[:5] == [0, 1, 2, 3, 4]


@each_reader
def test_sound_that_goes_on_is_no_truncation(
    reader: str, tmp_path: Path, write_video: Any, video: Any
) -> None:
    """Matroska without statistics tags: only the sound shows that the file is whole."""
    tagged, path = tmp_path / "tagged.mkv", tmp_path / "untagged.mkv"
    write_video(tagged, video(), sound=("aac", 4.0, 0.0))
    data = tagged.read_bytes()
    assert data.count(b"DURATION") == 2
    path.write_bytes(data.replace(b"DURATION", b"DURATI_N"))
    with open_video(path, reader) as opened:
        assert opened.info.reader.startswith("pyav")
        assert len(list(opened.frames())) == 45
        assert not opened.truncated
    path.write_bytes(path.read_bytes()[: len(data) // 2])
    with open_video(path, reader) as opened:
        assert list(opened.frames())
        assert opened.truncated


def test_damage_in_the_middle_is_told_and_read_past(
    tmp_path: Path,
    write_video: Any,
    video: Any,
    read_number: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "damaged.mp4"
    write_video(path, video("libx265", options={"x265-params": "log-level=none:keyint=5:bframes=0"}))
    zero_packet(path, 22)
    with open_video(path, "pyav") as opened, caplog.at_level(logging.WARNING, logger="vidalign.video"):
        frames = list(opened.frames())
        assert not opened.truncated
    numbers = [read_number(frame.pixels) for frame in frames]
    assert numbers == [*range(22), *range(25, 45)]
    assert [frame.start for frame in frames] == pytest.approx([n / 30 for n in numbers], abs=1e-6)
    assert all(one.end == other.start for one, other in pairwise(frames))
    assert "passed over: 1" in caplog.text


def test_memory_is_bounded(tmp_path: Path, write_video: Any, video: Any) -> None:
    """1,200 frames of 320x240 are 276 MB in RGB; reading them takes a few."""
    path = tmp_path / "long.mp4"
    fast = {"preset": "ultrafast", "g": "300", "crf": "40"}
    write_video(path, video(width=320, height=240, ticks=[n * 100 for n in range(1200)], options=fast))
    with open_video(path) as opened:
        frames = opened.frames()
        for _ in range(200):
            next(frames)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert sum(1 for _ in frames) == 1000
        assert sum(frame is not None for frame in opened.frames_at(n / 10 for n in range(400))) == 400
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 40_000


@pytest.mark.parametrize("which", [20, 22, 43])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_where_decord_gives_up_pyav_reads_on(
    codec: str, which: int, tmp_path: Path, write_video: Any, video: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """decord stops somewhere before the damage, differently every time; what comes out is always the same."""
    path = tmp_path / "damaged.mp4"
    options = {"g": "5", "bf": "0", "x265-params": "log-level=none:keyint=5:bframes=0"}
    write_video(path, video(codec, options=options))
    zero_packet(path, which)
    times = [n / 50 for n in range(100)]
    with open_video(path, "pyav") as one, open_video(path) as other:
        assert other.info.reader.startswith("decord")
        for mine, theirs in [
            (one.frames(Scaling((20, 20))), other.frames(Scaling((20, 20)))),
            (one.frames_at(times), other.frames_at(times)),
        ]:
            for frame, twin in zip(mine, theirs, strict=True):
                assert frame is not None
                assert twin is not None
                assert frame.start == pytest.approx(twin.start, abs=1e-6)
                assert np.array_equal(frame.pixels, twin.pixels)
            assert (one.truncated, one.decoded_until) == (other.truncated, other.decoded_until)
        for recipe in COUNTED:
            for clip, twin_clip in zip(cut_clips(one, recipe), cut_clips(other, recipe), strict=True):
                assert (clip.start, clip.end) == pytest.approx((twin_clip.start, twin_clip.end))
                assert np.array_equal(clip.pixels, twin_clip.pixels)
    assert "PyAV reads on" in caplog.text


def zero_packet(path: Path, which: int) -> None:
    """Overwrite one picture's bytes."""
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    at, size = places[which]
    data = bytearray(path.read_bytes())
    data[at : at + size] = bytes(size)
    path.write_bytes(data)

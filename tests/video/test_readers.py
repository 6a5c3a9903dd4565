"""One contract, for every reader and every file."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from vidalign.errors import VideoError
from vidalign.video import decord as decord_reader
from vidalign.video import pixels as pixel_work
from vidalign.video.open import open_video
from vidalign.video.protocol import Frame, Scaling, VideoReader

ReadNumber = Callable[[Any], int]

MEDIA = {
    "nasa_13013.mp4": (390, 1001 / 30000, (480, 270)),
    "av1_video.mkv": (125, 1 / 25, (640, 360)),
    "h265_video.mp4": (10, 1 / 10, (128, 128)),
    "h265_10bits.mp4": (30, 1 / 30, (200, 200)),
    "h264_10bits.mp4": (30, 1 / 30, (200, 200)),
    "bt709_full_range.mp4": (30, 1 / 30, (1280, 720)),
}
each_reader = pytest.mark.parametrize("name", ["pyav", "decord", "auto"])
MILLISECOND = 1.1e-3


def psnr(one: Any, other: Any) -> float:
    error = np.mean((one.astype(float) - other.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-10)))


def opened(sample: Any, name: str) -> VideoReader | None:
    """The reader; None where decord rightly refuses."""
    if name != "decord" or sample.trouble is None:
        return open_video(sample.path, name)
    with pytest.raises(VideoError, match=sample.trouble) as caught:
        open_video(sample.path, name)
    assert "--reader pyav" in caught.value.hint
    return None


@each_reader
def test_every_frame_comes_once_at_its_time(sample: Any, name: str, read_number: ReadNumber) -> None:
    reader = opened(sample, name)
    if reader is None:
        return
    with reader:
        frames = list(reader.frames())
        assert [read_number(frame.pixels) for frame in frames] == sample.numbers
        assert [frame.start for frame in frames] == pytest.approx(sample.starts, abs=MILLISECOND)
        assert frames[-1].end == pytest.approx(sample.end, abs=MILLISECOND)
        assert all(one.end == other.start for one, other in pairwise(frames))
        for frame in frames:
            assert (frame.pixels.shape[1], frame.pixels.shape[0]) == sample.size
            assert frame.pixels.dtype == np.uint8
            assert frame.pixels.flags.c_contiguous


@each_reader
def test_info_is_known_before_reading(sample: Any, name: str) -> None:
    reader = opened(sample, name)
    if reader is None:
        return
    with reader:
        info = reader.info
    assert (info.width, info.height) == sample.size
    assert info.video_start == pytest.approx(sample.starts[0], abs=MILLISECOND)
    claimed = sample.end if sample.duration == -1 else sample.duration
    assert info.duration == pytest.approx(claimed, abs=3e-3)
    assert info.reason


@each_reader
def test_breaking_off_is_told(sample: Any, name: str) -> None:
    reader = opened(sample, name)
    if reader is None:
        return
    with reader:
        last = list(reader.frames(Scaling((16, 16))))[-1]
        assert reader.truncated == sample.truncated
        assert reader.decoded_until == last.end


@each_reader
def test_frame_shown_at(sample: Any, name: str, read_number: ReadNumber) -> None:
    """Times inside frames, on their borders, within noise of borders, before the first and after the last."""
    reader = opened(sample, name)
    if reader is None:
        return
    with reader:
        starts = [frame.start for frame in reader.frames(Scaling((8, 8)))]
        times = sorted(
            [t + d for t in starts for d in (-1e-7, 0.0, 1e-7, 0.004)] + [n / 16 for n in range(200)]
        )
        expected = [int(np.searchsorted(starts, t + 1e-6, side="right")) - 1 for t in times]
        last = sum(time < sample.end - 2e-3 for time in times)
        shown = list(reader.frames_at(times))
    assert last <= len(shown) <= sum(time < sample.end + 2e-3 for time in times)
    for frame, index, time in zip(shown, expected, times, strict=False):
        if index < 0:
            assert frame is None
        else:
            assert isinstance(frame, Frame)
            assert read_number(frame.pixels) == sample.numbers[index]
            assert frame.start - 1e-6 <= time < frame.end


@each_reader
def test_scaling_while_reading(sample: Any, name: str, read_number: ReadNumber) -> None:
    reader = opened(sample, name)
    if reader is None:
        return
    with reader:
        for size in [(40, 30), (31, 57), (128, 96)]:
            frames = list(reader.frames(Scaling(size)))
            assert {frame.pixels.shape for frame in frames} == {(size[1], size[0], 3)}
            assert [read_number(frame.pixels) for frame in frames] == sample.numbers


@each_reader
def test_passes_are_alike(sample: Any, name: str) -> None:
    """A second pass, a pass after one that was left, and a pass through frames_at give the same bytes."""
    reader = opened(sample, name)
    if reader is None:
        return
    with reader:
        first = list(reader.frames())
        left = reader.frames()
        next(left)
        next(left)
        again = list(reader.frames())
        picked = list(reader.frames_at(frame.start for frame in first))
    assert len(first) == len(again) == len(picked)
    for one, two, three in zip(first, again, picked, strict=True):
        assert three is not None
        assert one.start == two.start == three.start
        assert np.array_equal(one.pixels, two.pixels)
        assert np.array_equal(one.pixels, three.pixels)


@pytest.mark.parametrize("threads", [1, 3])
@each_reader
def test_threads_change_nothing(make_sample: Callable[[str], Any], name: str, threads: int) -> None:
    path = make_sample("cfr_h264").path
    with open_video(path, name, threads=threads) as reader, open_video(path, name) as other:
        for one, two in zip(reader.frames(Scaling((33, 22))), other.frames(Scaling((33, 22))), strict=True):
            assert one.start == two.start
            assert np.array_equal(one.pixels, two.pixels)


def test_readers_agree(sample: Any) -> None:
    if sample.trouble is not None:
        assert open_video(sample.path).info.reader.startswith("pyav")
        return
    with open_video(sample.path, "pyav") as one, open_video(sample.path, "decord") as other:
        agree(one, other, 40.0)


def agree(one: VideoReader, other: VideoReader, least: float) -> None:
    for size in [None, (56, 40)]:
        for mine, theirs in zip(one.frames(Scaling(size)), other.frames(Scaling(size)), strict=True):
            assert abs(mine.start - theirs.start) < (mine.end - mine.start) / 2
            assert psnr(mine.pixels, theirs.pixels) > least


@each_reader
@pytest.mark.parametrize("sample", ["cfr_h264", "vfr_h264"], indirect=True)
def test_only_sampled_frames_are_converted(sample: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    converted: list[int] = []
    convert, read = pixel_work.RgbConverter.convert, decord_reader.Tape.read
    monkeypatch.setattr(pixel_work.RgbConverter, "convert", lambda *a: converted.append(1) or convert(*a))
    monkeypatch.setattr(decord_reader.Tape, "read", lambda *a: converted.append(1) or read(*a))
    with open_video(sample.path, name) as reader:
        shown = list(reader.frames_at(n / 4 for n in count()))
        assert len(shown) == int(sample.end * 4 - 1e-6) + 1
        # decord must read, and so convert, the picture before each key frame: winding over it would seek.
        extra = 0 if reader.info.reader.startswith("pyav") else key_frames(sample.path) - 1
        assert len(shown) <= len(converted) <= len(shown) + extra


def key_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(packet.is_keyframe for packet in container.demux(video=0) if packet.size)


@each_reader
def test_one_frame_for_neighbouring_times(make_sample: Callable[[str], Any], name: str) -> None:
    with open_video(make_sample("cfr_h264").path, name) as reader:
        one, two, other = reader.frames_at([0.1001, 0.12, 0.14])
    assert one is two
    assert two is not other


@each_reader
def test_times_must_ascend(make_sample: Callable[[str], Any], name: str) -> None:
    with open_video(make_sample("cfr_h264").path, name) as reader, pytest.raises(ValueError, match="ascend"):
        list(reader.frames_at([0.5, 0.4]))


@pytest.mark.media
@pytest.mark.parametrize("name", MEDIA)
def test_real_videos(name: str, media: Path) -> None:
    number, frame_time, size = MEDIA[name]
    with open_video(media / name, "pyav") as one, open_video(media / name, "decord") as other:
        assert open_video(media / name).info.reader == other.info.reader
        for reader in (one, other):
            assert (reader.info.width, reader.info.height) == size
            starts = [frame.start for frame in reader.frames(Scaling((32, 32)))]
            assert starts == pytest.approx([n * frame_time for n in range(number)], abs=1e-6)
            assert reader.decoded_until == pytest.approx(number * frame_time, abs=1e-6)
            assert reader.info.duration == pytest.approx(number * frame_time, abs=1e-6)
            assert not reader.truncated
        agree(one, other, 35.0 if "10bits" in name else 40.0)

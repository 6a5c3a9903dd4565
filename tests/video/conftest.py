"""Tiny videos of every awkward kind; each picture shows its own number, so that tests know which one came."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from numpy.typing import NDArray

FPS = 30
COUNT = 45
TICK = Fraction(1, 3000)
COLUMNS, ROWS = 4, 2
QUIET = {"libx265": {"x265-params": "log-level=none"}, "libsvtav1": {"svtav1-params": "lp=1", "preset": "10"}}


def drawn(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """A picture (H, W, 3) of 4 x 2 grey blocks that spell `number` in binary, tinted from left to right."""
    bits = np.array([number >> bit & 1 for bit in range(COLUMNS * ROWS)]).reshape(ROWS, COLUMNS)
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    grey = np.where(bits[rows][:, columns], 200, 50).astype(np.int16)
    tint = np.linspace(-20, 20, width).astype(np.int16)
    return np.stack([grey + tint, grey, grey - tint], axis=-1).astype(np.uint8)


def number_in(pixels: NDArray[np.uint8]) -> int:
    """The number that `drawn` put into a picture, at whatever size."""
    height, width = pixels.shape[:2]
    number = 0
    for bit in range(COLUMNS * ROWS):
        row, column = divmod(bit, COLUMNS)
        y, x = (2 * row + 1) * height // (2 * ROWS), (2 * column + 1) * width // (2 * COLUMNS)
        number |= int(pixels[y - 1 : y + 2, x - 1 : x + 2].mean() > 125) << bit
    return number


@dataclass(frozen=True)
class Sample:
    """A video file and the truth about it: numbers and starts (seconds) of the pictures that are shown."""

    path: Path
    numbers: list[int]
    starts: list[float]
    end: float
    size: tuple[int, int] = (64, 48)
    trouble: str | None = None
    """A word of why decord is not trusted with it; None: it is."""
    truncated: bool = False
    duration: float | None = field(default=-1.0)
    """As claimed; -1: the end."""


@dataclass(frozen=True)
class Video:
    """What to encode; `ticks` are presentation times in units of 1/3000 s."""

    codec: str = "libx264"
    pixels: str = "yuv420p"
    width: int = 64
    height: int = 48
    ticks: Sequence[int] = tuple(n * 100 for n in range(COUNT))
    options: dict[str, str] = field(default_factory=dict)
    rate: Fraction = Fraction(FPS)
    turns: int = 0
    """Quarter turns counter-clockwise that a player has to give the stored picture."""
    mirror: bool = False
    """Whether it then has to mirror it left to right."""
    full_range: bool = False
    first_number: int = 0


def add_video(container: av.container.OutputContainer, video: Video) -> av.VideoStream:
    options = {**QUIET.get(video.codec, {}), **video.options}
    stream = container.add_stream(video.codec, rate=video.rate, options=options)
    stream.width, stream.height, stream.pix_fmt = video.width, video.height, video.pixels
    stream.time_base = stream.codec_context.time_base = 1 / video.rate if video.codec == "mpeg4" else TICK
    stream.disposition = Disposition.default
    if video.turns or video.mirror:
        stream.set_display_rotation(90 * video.turns, hflip=video.mirror)
    if video.full_range:
        stream.codec_context.color_range = 2
        stream.codec_context.colorspace = 1
    return stream


def encode(container: av.container.OutputContainer, stream: av.VideoStream, video: Video) -> list[av.Packet]:
    packets: list[av.Packet] = []
    for number, tick in enumerate(video.ticks, video.first_number):
        frame = av.VideoFrame.from_ndarray(stored(number, video), format="rgb24").reformat(
            format=video.pixels,
            dst_colorspace=1 if video.full_range else None,
            dst_color_range=2 if video.full_range else 1,
        )
        frame.time_base = stream.codec_context.time_base
        frame.pts = number - video.first_number if video.codec == "mpeg4" else tick
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def stored(number: int, video: Video) -> NDArray[np.uint8]:
    """What has to lie in the file so that the turned picture is upright."""
    upright = (video.width, video.height) if video.turns % 2 == 0 else (video.height, video.width)
    seen = drawn(number, *upright)
    mirrored = seen[:, ::-1] if video.mirror else seen
    return np.ascontiguousarray(np.rot90(mirrored, -video.turns))


def add_sound(
    container: av.container.OutputContainer, codec: str = "aac", rate: int = 48000
) -> av.AudioStream:
    return container.add_stream(codec, rate=rate, layout="mono")


def encode_sound(stream: av.AudioStream, seconds: float, start: float = 0.0) -> list[av.Packet]:
    rate = stream.rate
    packets: list[av.Packet] = []
    for begin in range(0, int(seconds * rate), 960):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), begin + int(start * rate)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def write(
    path: Path,
    *videos: Video,
    sound: tuple[str, float, float] | None = None,
    options: dict[str, str] | None = None,
    format: str | None = None,
) -> None:
    """Encode `videos` and a `sound` (codec, seconds, start) into one file, interleaved."""
    with av.open(str(path), "w", format=format, options=options or {}) as container:
        streams = [add_video(container, video) for video in videos]
        speaker = add_sound(container, sound[0]) if sound else None
        packets = [p for s, v in zip(streams, videos, strict=True) for p in encode(container, s, v)]
        if sound and speaker is not None:
            packets += encode_sound(speaker, sound[1], sound[2])
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)


def truth(path: Path, ticks: Iterable[int] = Video().ticks, *, last: int = 100, **facts: object) -> Sample:
    """The plain truth: numbers count from 0, times are the ticks."""
    starts = [tick * float(TICK) for tick in ticks]
    return replace(Sample(path, list(range(len(starts))), starts, starts[-1] + last * float(TICK)), **facts)


def cfr_h264(folder: Path) -> Sample:
    path = folder / "cfr.mp4"
    write(path, Video(options={"g": "12", "bf": "2", "sc_threshold": "0"}), sound=("aac", 1.5, 0.0))
    return truth(path)


def ntsc_h264(folder: Path) -> Sample:
    path = folder / "ntsc.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30000, 1001))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(COUNT):
            frame = av.VideoFrame.from_ndarray(drawn(number, 64, 48), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    starts = [n * 1001 / 30000 for n in range(COUNT)]
    return Sample(path, list(range(COUNT)), starts, COUNT * 1001 / 30000)


def vfr_ticks() -> list[int]:
    gaps = [100, 50, 300, 100, 700, 120, 80]
    return [sum((gaps * COUNT)[:n]) for n in range(COUNT)]


def vfr_h264(folder: Path) -> Sample:
    path = folder / "vfr.mp4"
    write(path, Video(ticks=vfr_ticks(), options={"g": "12", "bf": "2", "sc_threshold": "0"}))
    return replace(truth(path, vfr_ticks()), end=claimed_end(path))


def claimed_end(path: Path) -> float:
    """Where the file says that its last picture ends; encoders are free in this."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if stream.duration is not None:
            return float(stream.duration * stream.time_base)
        return float(stream.metadata["DURATION"].rpartition(":")[2])


def vfr_matroska(folder: Path) -> Sample:
    path = folder / "vfr.mkv"
    ticks = [tick // 3 * 3 for tick in vfr_ticks()]
    write(path, Video(ticks=ticks), sound=("libopus", 8.0, 0.0))
    return replace(truth(path, ticks), end=claimed_end(path))


def odd_name(folder: Path) -> Sample:
    path = folder / "Käse: 100% ナレーション #1?.mp4"
    write(path, Video())
    return truth(path)


def narrow(folder: Path) -> Sample:
    """decord takes the padding of such rows for a fourth channel."""
    path = folder / "narrow.mp4"
    write(path, Video(width=48))
    return truth(path, size=(48, 48), trouble="shape")


def hevc(folder: Path) -> Sample:
    path = folder / "hevc.mp4"
    write(path, Video("libx265"))
    return truth(path)


def hevc_10bit(folder: Path) -> Sample:
    path = folder / "hevc10.mp4"
    write(path, Video("libx265", "yuv420p10le"))
    return truth(path)


def av1(folder: Path) -> Sample:
    path = folder / "av1.mp4"
    write(path, Video("libsvtav1", height=64))
    return truth(path, size=(64, 64))


def vp9_odd_size(folder: Path) -> Sample:
    path = folder / "vp9.webm"
    write(path, Video("libvpx-vp9", width=65, height=49))
    return in_milliseconds(truth(path, size=(65, 49)))


def h264_odd_size(folder: Path) -> Sample:
    path = folder / "odd.mp4"
    write(path, Video(pixels="yuv444p", width=65, height=49))
    return truth(path, size=(65, 49), trouble="pixel format")


def mpeg4_avi(folder: Path) -> Sample:
    path = folder / "mpeg4.avi"
    write(path, Video("mpeg4", options={"bf": "2"}))
    return truth(path, trouble="avi")


def full_range(folder: Path) -> Sample:
    path = folder / "full.mp4"
    write(path, Video(pixels="yuvj420p", full_range=True))
    return truth(path)


def interlaced(folder: Path) -> Sample:
    path = folder / "interlaced.mp4"
    write(path, Video(height=64, options={"flags": "+ildct+ilme"}))
    return truth(path, size=(64, 64), trouble="interlaced")


def rotated(folder: Path) -> Sample:
    path = folder / "rotated.mp4"
    write(path, Video(turns=1))
    return truth(path, size=(48, 64), trouble="rotated")


def turned_and_mirrored(folder: Path) -> Sample:
    path = folder / "mirrored.mp4"
    write(path, Video(turns=3, mirror=True))
    return truth(path, size=(48, 64), trouble="rotated")


def fragmented(folder: Path) -> Sample:
    path = folder / "fragmented.mp4"
    write(path, Video(options={"g": "9"}), options={"movflags": "frag_keyframe+empty_moov"})
    return truth(path, trouble="index")


def edit_list(folder: Path) -> Sample:
    """The first 17 pictures are hidden, as a cut without encoding leaves them."""
    path = folder / "edit.mp4"
    write(path, Video(options={"g": "45", "bf": "0"}))
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 12
    duration, begin = struct.unpack_from(">Ii", data, at)
    with av.open(str(path)) as container:
        tick = int(1 / container.streams.video[0].time_base) // FPS
    struct.pack_into(">Ii", data, at, duration - 17 * 1000 // FPS, begin + 17 * tick)
    path.write_bytes(data)
    sample = truth(path, [n * 100 for n in range(COUNT - 17)], trouble="edit list")
    return replace(sample, numbers=list(range(17, COUNT)))


def late_picture(folder: Path) -> Sample:
    path = folder / "late.mp4"
    ticks = [1500 + n * 100 for n in range(COUNT)]
    write(path, Video(ticks=ticks), sound=("aac", 2.0, 0.0))
    return truth(path, ticks, trouble="late")


def late_clock(folder: Path) -> Sample:
    """Both streams begin at 5 s on the container's clock; a player shows that as 0:00."""
    path = folder / "clock.mkv"
    write(path, Video(ticks=[15000 + n * 100 for n in range(COUNT)]), sound=("aac", 1.5, 5.0))
    return in_milliseconds(truth(path, trouble="clock"))


def transport_stream(folder: Path) -> Sample:
    path = folder / "stream.ts"
    write(path, Video(options={"bf": "2"}), sound=("aac", 1.5, 0.0))
    priming = 1024 / 48000
    sample = truth(path, trouble="mpegts")
    return replace(sample, starts=[t + priming for t in sample.starts], end=sample.end + priming)


def two_streams(folder: Path) -> Sample:
    """The larger picture is the second one, and the best."""
    path = folder / "two.mp4"
    small = Video(
        width=32, height=32, rate=Fraction(25), ticks=[n * 120 for n in range(30)], first_number=100
    )
    write(path, small, Video())
    return truth(path)


def two_alike(folder: Path) -> Sample:
    path = folder / "alike.mp4"
    write(path, Video(width=32, height=32, ticks=[n * 100 for n in range(30)], first_number=100), Video())
    return truth(path, trouble="several")


def shorter_than_sound(folder: Path) -> Sample:
    path = folder / "shorter.mp4"
    write(path, Video(), sound=("aac", 4.0, 0.0))
    return truth(path)


def cut_off(path: Path, kept: float, **facts: object) -> Sample:
    """Keep a share of the file's bytes; what is wholly in them is the truth."""
    data = path.read_bytes()
    size = int(len(data) * kept)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        whole = [p for p in container.demux(stream) if p.pts is not None and p.pos + p.size < size]
    path.write_bytes(data[:size])
    assert 5 < len(whole) < COUNT
    return truth(path, Video().ticks[: len(whole)], truncated=True, duration=1.5, **facts)


def broken_mp4(folder: Path) -> Sample:
    path = folder / "broken.mp4"
    write(path, Video(options={"bf": "0"}), options={"movflags": "faststart"})
    return cut_off(path, 0.6, trouble="breaks off")


def broken_matroska(folder: Path) -> Sample:
    path = folder / "broken.mkv"
    write(path, Video(options={"bf": "0"}))
    return in_milliseconds(cut_off(path, 0.6))


def in_milliseconds(sample: Sample) -> Sample:
    """Matroska rounds times to a millisecond."""
    return replace(sample, starts=[round(t, 3) for t in sample.starts], end=round(sample.end, 3))


SAMPLES: dict[str, Callable[[Path], Sample]] = {
    make.__name__: make
    for make in (
        cfr_h264,
        ntsc_h264,
        vfr_h264,
        vfr_matroska,
        odd_name,
        narrow,
        hevc,
        hevc_10bit,
        av1,
        vp9_odd_size,
        h264_odd_size,
        mpeg4_avi,
        full_range,
        interlaced,
        rotated,
        turned_and_mirrored,
        fragmented,
        edit_list,
        late_picture,
        late_clock,
        transport_stream,
        two_streams,
        two_alike,
        shorter_than_sound,
        broken_mp4,
        broken_matroska,
    )
}


@pytest.fixture(scope="session")
def make_sample(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Sample]:
    """A sample by name, made once."""
    folder = tmp_path_factory.mktemp("samples")
    made: dict[str, Sample] = {}

    def make(name: str) -> Sample:
        if name not in made:
            made[name] = SAMPLES[name](folder)
        return made[name]

    return make


@pytest.fixture
def sample(request: pytest.FixtureRequest, make_sample: Callable[[str], Sample]) -> Sample:
    """Every sample in turn, or those a test names with `indirect`."""
    return make_sample(request.param)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marks = [mark for mark in metafunc.definition.iter_markers("parametrize") if "sample" in mark.args[0]]
    if "sample" in metafunc.fixturenames and not marks:
        metafunc.parametrize("sample", list(SAMPLES), indirect=True)


@pytest.fixture(scope="session")
def read_number() -> Callable[[NDArray[np.uint8]], int]:
    return number_in


@pytest.fixture(scope="session")
def write_video() -> Callable[..., None]:
    return write


@pytest.fixture(scope="session")
def video() -> type[Video]:
    return Video

"""Which reader is taken, and how files that cannot be read are refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from vidalign.errors import ConfigError, MissingExtraError, VideoError
from vidalign.video import open as opening
from vidalign.video.open import open_video
from vidalign.video.protocol import Scaling

each_reader = pytest.mark.parametrize("reader", ["auto", "pyav", "decord"])


def write_sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        for _ in range(10):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            sound.sample_rate = 16000
            container.mux(stream.encode(sound))
        container.mux(stream.encode(None))


def missing(folder: Path) -> Path:
    return folder / "nowhere.mp4"


def empty(folder: Path) -> Path:
    path = folder / "empty.mp4"
    path.touch()
    return path


def text(folder: Path) -> Path:
    path = folder / "text.mp4"
    path.write_text("this is no video\n" * 100)
    return path


def subtitles(folder: Path) -> Path:
    path = folder / "subtitles.mp4"
    path.write_text("1\n00:00:01,000 --> 00:00:02,000\nfirst mix the eggs\n\n" * 30)
    return path


def playlist(folder: Path) -> Path:
    path = folder / "playlist.mp4"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://192.0.2.1/a.ts\n#EXT-X-ENDLIST\n")
    return path


def noise(folder: Path) -> Path:
    path = folder / "noise.mkv"
    path.write_bytes(np.random.default_rng(0).bytes(50_000))
    return path


def sound(folder: Path) -> Path:
    path = folder / "sound.m4a"
    write_sound(path)
    return path


def pipe(folder: Path) -> Path:
    path = folder / "pipe.mp4"
    os.mkfifo(path)
    return path


def directory(folder: Path) -> Path:
    path = folder / "folder.mp4"
    path.mkdir()
    return path


def under_a_file(folder: Path) -> Path:
    path = folder / "a_file"
    path.touch()
    return path / "video.mp4"


REFUSED = {
    missing: "does not exist",
    empty: "is empty",
    text: "cannot be opened as a video",
    subtitles: "has no picture stream",
    playlist: "cannot be opened as a video",
    noise: "cannot be opened as a video",
    sound: "has no picture stream",
    pipe: "is not a regular file",
    directory: "is a folder",
    under_a_file: "cannot be read",
}


@each_reader
@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_refusals(
    make: Callable[[Path], Path], reader: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = make(tmp_path)
    with pytest.raises(VideoError, match=REFUSED[make]) as caught:
        open_video(path, reader)
    assert caught.value.message.startswith(str(path))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@each_reader
def test_no_permission(reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = text(tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(VideoError, match="must not be read"):
        open_video(path, reader)


@each_reader
def test_without_its_index(reader: str, make_sample: Callable[[str], Any], tmp_path: Path) -> None:
    whole = make_sample("cfr_h264").path.read_bytes()
    path = tmp_path / "unfinished.mp4"
    path.write_bytes(whole[: whole.index(b"moov") - 4])
    with pytest.raises(VideoError, match="its index \\(moov\\) is missing"):
        open_video(path, reader)


@each_reader
def test_not_one_picture(reader: str, make_sample: Callable[[str], Any], tmp_path: Path) -> None:
    """The index is whole, the pictures are gone."""
    whole = bytearray(make_sample("hevc").path.read_bytes())
    at = whole.index(b"mdat") + 4
    size = int.from_bytes(whole[at - 8 : at - 4], "big") - 8
    whole[at : at + size] = bytes(size)
    path = tmp_path / "gone.mp4"
    path.write_bytes(whole)
    with pytest.raises(VideoError, match="not one picture could be decoded"):
        open_video(path, reader)


def test_cover_art_is_no_picture_stream(tmp_path: Path) -> None:
    path = tmp_path / "cover.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        speaker = container.add_stream("aac", rate=16000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        packets = cover.encode(frame) + cover.encode(None)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 16000
        container.mux(packets + speaker.encode(silence) + speaker.encode(None))
    with pytest.raises(VideoError, match="has no picture stream"):
        open_video(path)


def test_auto_takes_decord_in_the_plain_case_only(sample: Any) -> None:
    info = open_video(sample.path).info
    if sample.trouble is None:
        assert info.reader.startswith("decord 3")
        assert info.reason == "the file is plain"
    else:
        assert info.reader.startswith("pyav ")
        assert sample.trouble in info.reason


def test_auto_where_decord_is_missing(
    make_sample: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "decord", None)
    monkeypatch.delitem(sys.modules, "vidalign.video.decord", raising=False)
    info = open_video(make_sample("cfr_h264").path).info
    assert info.reader.startswith("pyav ")
    assert info.reason == "decord is not installed"
    with pytest.raises(MissingExtraError) as caught:
        open_video(make_sample("cfr_h264").path, "decord")
    assert caught.value.hint == "pip install decord2"


def test_auto_leaves_long_videos_to_pyav(
    make_sample: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """decord's queues have no bound; 45 pictures of 64x48 are 405 KiB."""
    path = make_sample("cfr_h264").path
    monkeypatch.setattr(opening, "DECORD_BYTES", 45 * 64 * 48 * 3 - 1)
    info = open_video(path).info
    assert info.reader.startswith("pyav ")
    assert info.reason == "decord may hold the whole video: 0 MiB decoded"
    with caplog.at_level("WARNING", logger="vidalign.video"):
        assert open_video(path, "decord").info.reader.startswith("decord ")
    assert "may hold the whole video in memory" in caplog.text


def test_unknown_reader(make_sample: Callable[[str], Any]) -> None:
    with pytest.raises(ConfigError, match="opencv") as caught:
        open_video(make_sample("cfr_h264").path, "opencv")
    assert "auto, decord, pyav" in caught.value.hint


@each_reader
def test_nothing_reaches_stderr(
    reader: str, make_sample: Callable[[str], Any], capfd: pytest.CaptureFixture[str]
) -> None:
    paths = [make_sample(name).path for name in ("cfr_h264", "full_range", "hevc_10bit", "broken_matroska")]
    capfd.readouterr()
    for path in paths:
        with open_video(path, reader) as opened:
            assert list(opened.frames(Scaling((20, 20))))
    assert capfd.readouterr() == ("", "")


@each_reader
def test_files_are_closed(reader: str, make_sample: Callable[[str], Any]) -> None:
    path = make_sample("cfr_h264").path

    def handles() -> int:
        links = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        return sum(link == path for link in links)

    with open_video(path, reader) as opened:
        list(opened.frames())
        left = opened.frames()
        next(left)
    del left
    assert handles() == 0


def test_relative_names_and_colons(
    make_sample: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that looks like an address is a name."""
    (tmp_path / "data:cut.mp4").write_bytes(make_sample("cfr_h264").path.read_bytes())
    monkeypatch.chdir(tmp_path)
    for reader in ("pyav", "decord"):
        with open_video("data:cut.mp4", reader) as opened:
            assert len(list(opened.frames())) == 45


def test_a_file_that_cannot_be_read_does_not_wait_for_torch(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    code = (
        "import sys\nfrom vidalign.errors import VideoError\nfrom vidalign.video.open import open_video\n"
        "try:\n    open_video(sys.argv[1])\nexcept VideoError:\n    print('torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "empty.mp4")], check=True, capture_output=True, text=True
    )
    assert done.stdout == "False\n"

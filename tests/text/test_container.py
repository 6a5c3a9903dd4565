"""Text tracks inside video files, made here with PyAV."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vidalign.errors import SubtitleError
from vidalign.text.sentences import make_transcript
from vidalign.text.subtitles.container import only_text_track, read_text_track, text_tracks
from vidalign.text.subtitles.write import write_subtitles

HEADER = b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name\nStyle: Default\n\n[Events]\n"
Track = tuple[str, str, list[tuple[int, int, bytes]]]


def make_video(path: Path, tracks: list[Track], *, first_frame: int = 0) -> Path:
    """Three seconds of black from frame `first_frame` (10 a second) with subtitle packets in ms."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        streams = []
        for codec, language, _ in tracks:
            stream = container.add_stream(codec)
            stream.codec_context.subtitle_header = HEADER
            stream.metadata["language"] = language
            stream.time_base = Fraction(1, 1000)
            streams.append(stream)
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            frame.pts = first_frame + number
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for stream, (_, _, cues) in zip(streams, tracks, strict=True):
            for start, end, data in cues:
                packet = av.Packet(data)
                packet.stream, packet.time_base = stream, Fraction(1, 1000)
                packet.pts = packet.dts = start
                packet.duration = end - start
                container.mux(packet)
    return path


def mov_text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


@pytest.mark.parametrize(
    ("codec", "suffix", "first", "format"),
    [
        ("subrip", "mkv", b"Crack <i>the</i> egg", "srt"),
        ("webvtt", "mkv", b"Crack <v Bob>the</v> &#101;gg", "vtt"),
        ("ass", "mkv", b"0,0,Default,,0,0,0,,Crack {\\i1}the{\\i0} egg", "ass"),
        ("mov_text", "mp4", mov_text("Crack the egg"), "plain"),
    ],
)
def test_each_kind_of_text_track(tmp_path: Path, codec: str, suffix: str, first: bytes, format: str) -> None:
    second = mov_text("été") if codec == "mov_text" else first.replace(b"Crack", "Été".encode())
    path = make_video(tmp_path / f"a.{suffix}", [(codec, "eng", [(500, 1500, first), (1600, 2650, second)])])
    (track,) = text_tracks(path)
    assert (track.number, track.codec, track.language, track.is_text) == (1, codec, "eng", True)
    assert only_text_track(path) == 1
    file = read_text_track(path, 1)
    assert file.format == format and file.warnings == ()
    assert [(cue.start, cue.end) for cue in file.cues] == [(500, 1500), (1600, 2650)]
    assert file.cues[0].plain == "Crack the egg" and file.cues[1].plain.lower().startswith("été")
    assert len(make_transcript(file).sentences) == 2
    assert "00:00:01.600 --> 00:00:02.650" in write_subtitles(file, [None, None], "vtt")


def test_ids_and_settings_of_webvtt_tracks(tmp_path: Path) -> None:
    (tmp_path / "a.vtt").write_text("WEBVTT\n\nintro\n00:00:01.000 --> 00:00:02.000 align:start\nOne\n")
    with av.open(str(tmp_path / "a.vtt")) as source, av.open(str(tmp_path / "a.mkv"), "w") as target:
        stream = target.add_stream_from_template(source.streams[0])
        for packet in source.demux(source.streams[0]):
            if packet.pts is not None:
                packet.stream = stream
                target.mux(packet)
    (cue,) = read_text_track(tmp_path / "a.mkv", 1).cues
    assert (cue.id, cue.settings, cue.plain) == ("intro", "align:start", "One")


def test_times_count_from_the_start_of_the_container(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mkv", [("subrip", "eng", [(5500, 6000, b"One")])], first_frame=50)
    assert [(cue.start, cue.end) for cue in read_text_track(path, 1).cues] == [(500, 1000)]


def test_one_of_several_is_named(tmp_path: Path) -> None:
    cues = {"eng": [(0, 900, b"One")], "deu": [(0, 900, b"Eins")]}
    path = make_video(tmp_path / "a.mkv", [("subrip", language, cue) for language, cue in cues.items()])
    with pytest.raises(
        SubtitleError, match=r"several text tracks: track:1 \(subrip; eng\), track:2"
    ) as caught:
        only_text_track(path)
    assert "track:1" in caught.value.hint
    assert read_text_track(path, 2).cues[0].plain == "Eins"
    for number in (0, 3):
        with pytest.raises(SubtitleError, match=rf"no track:{number}; its subtitle tracks: track:1"):
            read_text_track(path, number)


def test_pictures_and_absent_tracks_are_refused(tmp_path: Path) -> None:
    bare = make_video(tmp_path / "bare.mkv", [])
    assert text_tracks(bare) == [] and only_text_track(bare) is None
    with pytest.raises(SubtitleError, match="it has no subtitle track"):
        read_text_track(bare, 1)
    pictures = make_video(tmp_path / "dvd.mkv", [("dvd_subtitle", "eng", [(0, 900, b"\x00\x04\x00\x04")])])
    (track,) = text_tracks(pictures)
    assert not track.is_text and only_text_track(pictures) is None
    with pytest.raises(SubtitleError, match="pictures; eng"):
        read_text_track(pictures, 1)


def test_what_is_no_container_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SubtitleError, match="no such file"):
        text_tracks(tmp_path / "a.mkv")
    (tmp_path / "b.mkv").write_bytes(b"nothing")
    with pytest.raises(SubtitleError, match="cannot be read"):
        text_tracks(tmp_path / "b.mkv")
    with pytest.raises(SubtitleError, match="holds no cues"):
        read_text_track(make_video(tmp_path / "c.mkv", [("subrip", "eng", [])]), 1)

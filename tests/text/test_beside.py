"""Which subtitle file belongs to which video."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidalign.errors import SubtitleError
from vidalign.text.subtitles.beside import SubtitleFolder, find_subtitles, track_number


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "exact.vtt",
        "exact.en.vtt",
        "tagged.pt-BR.srt",
        "both.vtt",
        "both.srt",
        "many.en.vtt",
        "many.de.vtt",
        "a.b.vtt",
        "loud.VTT",
        "full.mp4.srt",
        "notes.txt",
        "longer name.vtt",
        "sub/exact.srt",
        "other.align.json",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("WEBVTT\n")
    return tmp_path


@pytest.mark.parametrize(
    ("video", "expected"),
    [
        ("exact.mp4", "exact.vtt"),
        ("tagged.webm", "tagged.pt-BR.srt"),
        ("a.b.mkv", "a.b.vtt"),
        ("a.mkv", None),
        ("loud.mp4", "loud.VTT"),
        ("full.mp4", "full.mp4.srt"),
        ("notes.mp4", None),
        ("longer.mp4", None),
        ("other.mp4", None),
        ("sub/exact.mp4", "sub/exact.srt"),
        ("nowhere/exact.mp4", None),
    ],
)
def test_beside_a_video(folder: Path, video: str, expected: str | None) -> None:
    assert find_subtitles(folder / video) == (folder / expected if expected else None)


@pytest.mark.parametrize(
    ("video", "names"), [("both.mp4", "both.srt and both.vtt"), ("many.mp4", "many.de.vtt and many.en.vtt")]
)
def test_two_that_fit_are_both_named(folder: Path, video: str, names: str) -> None:
    with pytest.raises(SubtitleError, match=names):
        find_subtitles(folder / video)


def test_pairs_by_relative_stem(folder: Path) -> None:
    videos = ["exact.mp4", "sub/exact.mp4", "notes.mp4", "none.mp4"]
    expected = [folder / "exact.vtt", folder / "sub/exact.srt", folder / "notes.txt", None]
    subtitles = SubtitleFolder(folder)
    assert [subtitles.find(video) for video in videos] == expected
    with pytest.raises(SubtitleError, match="both"):
        subtitles.find("both.mp4")
    with pytest.raises(SubtitleError, match="no such folder"):
        SubtitleFolder(folder / "missing")


def test_track_names() -> None:
    assert track_number("track:2") == 2
    assert track_number("talk.vtt") is None and track_number("track") is None
    with pytest.raises(SubtitleError, match="names no track"):
        track_number("track:x")

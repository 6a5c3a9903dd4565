"""Folders of features and transcripts as paragraphs and videos."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.letters import Letters, WholeLetters, letters_aligner, seconds, write_seconds
from tests.tiny import write_vtt
from vidalign.errors import DataError, SubtitleError, UsageError
from vidalign.evaluation.files import features_files
from vidalign.evaluation.full_video_files import (
    Comparison,
    encode,
    read_paragraphs,
    span_vectors,
    spans_of,
    windows_of,
)
from vidalign.types import Sentence


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two videos that show the same in opposite order, with subtitles that say so."""
    for name, letters in (("one", "abc"), ("two", "cba")):
        write_seconds(tmp_path / "features" / f"{name}.h5", "".join(letter * 20 for letter in letters))
        write_vtt(tmp_path / "subtitles" / f"{name}.vtt", *letters, step=20.0)
    return tmp_path


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("scorer", [Letters(), Letters("dot"), WholeLetters()])
def test_each_paragraph_is_nearest_to_its_video(folder: Path, scorer: Letters, background: bool) -> None:
    files = features_files(folder / "features")
    paragraphs = read_paragraphs(folder / "subtitles", files)
    aligner = letters_aligner(scorer)
    gallery = encode(aligner, paragraphs, files, background=background, paired=True)
    assert gallery.paragraphs == gallery.videos == ("one", "two")
    assert [len(clips) for clips in gallery.clips] == [4, 4] if background else [3, 3]
    distances = Comparison("dtw", background).distances(gallery, aligner)
    assert (distances.argmin(axis=1) == [0, 1]).all()
    assert distances[0, 1] > distances[0, 0] + 0.05


def test_segments_are_paragraphs_in_their_order(folder: Path) -> None:
    rows = ["one,40,60,c", "one,0,20,a", "two,0,5,b"]
    (folder / "s.csv").write_text("\n".join(["video,start,end,text", *rows, "gone,1,2,x"]))
    files = features_files(folder / "features")
    paragraphs = read_paragraphs(folder / "s.csv", files)
    assert [s.text for s in paragraphs.found["one"]] == ["a", "c"]
    gallery = encode(letters_aligner(), paragraphs, files, background=False, paired=True)
    assert gallery.missing == ("gone",)
    assert gallery.clips[0].argmax(axis=1).tolist() == [0, 2]
    told = {"database": {"one": {"annotations": [{"segment": [0, 20], "sentence": "a"}], "subset": "val"}}}
    (folder / "s.json").write_text(json.dumps(told))
    assert list(read_paragraphs(folder / "s.json", files, "val").found) == ["one"]


def test_one_transcript_against_all_videos(folder: Path) -> None:
    files = features_files(folder / "features")
    (folder / "query.txt").write_text("c\n\nb\n\na\n")
    paragraphs = read_paragraphs(folder / "query.txt", files)
    gallery = encode(letters_aligner(), paragraphs, files, background=True, paired=False)
    assert (gallery.paragraphs, gallery.videos, gallery.missing) == (("query",), ("one", "two"), ())
    assert Comparison("dtw", True).distances(gallery, letters_aligner()).argmin() == 1
    with pytest.raises(DataError, match="no transcript has features"):
        encode(letters_aligner(), paragraphs, files, background=False, paired=False)


def test_what_is_compared_how_by_default() -> None:
    dot, cosine, whole = (letters_aligner(s) for s in (Letters("dot"), Letters(), WholeLetters()))
    assert [Comparison("average").score_of(a) for a in (dot, cosine, whole)] == ["dot", "cosine", "cosine"]
    assert [Comparison("dtw").score_of(a) for a in (dot, cosine, whole)] == ["cosine"] * 3
    assert Comparison("otam", reference=True).score_of(whole) == "dot"
    assert Comparison("average", score="cosine").score_of(whole) == "cosine"


def test_stretches_of_time_are_clips_at_any_rate() -> None:
    fine = seconds("a" * 80, length=0.5)
    assert windows_of(fine) == [(0, 32), (32, 64), (64, 80)]
    assert windows_of(seconds("abc", start=5.0)) == [(0, 3)]
    assert spans_of(fine, [Sentence("a", 3.2, 5.1, 0, 0)]) == [(6, 11)]
    assert spans_of(seconds("abcdef"), [Sentence("a", 3.2, 5.1, 0, 0)]) == [(3, 6)]
    assert spans_of(seconds("abcdef"), [Sentence("a", 2.0, 2.0, 0, 0)]) == [(2, 3)]
    summed = span_vectors(WholeLetters(), seconds("aab"), [(0, 2), (1, 3)])
    assert summed[:, :2].tolist() == [[2, 0], [1, 1]]
    np.testing.assert_allclose(span_vectors(Letters("dot"), seconds("aab"), [(1, 3)])[0, :2], [0.5, 0.5])


def test_bad_videos_are_named_and_do_not_stop_the_others(folder: Path) -> None:
    write_vtt(folder / "subtitles" / "two.vtt", "a", "b", step=70.0)
    write_seconds(folder / "features" / "three.h5", "abc")
    write_seconds(folder / "features" / "four.h5", "abc")
    (folder / "subtitles" / "four.vtt").write_text("nothing")
    for name in ("sub/gone.en", "one.de", "gone.en"):
        write_vtt(folder / "subtitles" / f"{name}.vtt", "a")
    files = features_files(folder / "features")
    paragraphs = read_paragraphs(folder / "subtitles", files)
    assert paragraphs.missing == ("gone.en", "sub/gone.en") and list(paragraphs.failed) == ["four"]
    gallery = encode(letters_aligner(), paragraphs, files, background=False, paired=True)
    assert gallery.videos == ("one",)
    assert gallery.missing == paragraphs.missing and set(gallery.failed) == {"four", "two"}
    assert "two: a sentence begins at 70 s, the features end at 60 s" in str(gallery.failed["two"])


def test_without_times_only_whole_videos(folder: Path) -> None:
    for path in (folder / "subtitles").iterdir():
        path.unlink()
    (folder / "subtitles" / "one.txt").write_text("a\n\nb\n")
    files = features_files(folder / "features")
    paragraphs = read_paragraphs(folder / "subtitles", files)
    assert len(encode(letters_aligner(), paragraphs, files, background=True, paired=True).videos) == 1
    with pytest.raises(DataError, match="its sentences have no times"):
        encode(letters_aligner(), paragraphs, files, background=False, paired=True)


def test_no_transcripts_at_all(folder: Path) -> None:
    files = features_files(folder / "features")
    with pytest.raises(DataError, match="no video with features has a transcript"):
        read_paragraphs(folder / "features", files)
    empty = folder / "empty.vtt"
    empty.write_text("WEBVTT\n\n00:00.000 --> 00:01.000\n\n")
    with pytest.raises(SubtitleError):
        read_paragraphs(empty, files)


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("paired", [False, True])
def test_two_files_of_one_name_are_a_bad_video(folder: Path, background: bool, paired: bool) -> None:
    write_seconds(folder / "features" / "two.mp4.h5", "abc")
    files = features_files(folder / "features")
    paragraphs = read_paragraphs(folder / "subtitles", files)
    gallery = encode(letters_aligner(), paragraphs, files, background=background, paired=paired)
    assert gallery.videos == ("one",) and gallery.missing == ()
    assert "two: several files fit two" in str(gallery.failed["two"])


def test_videos_without_a_text_are_named(folder: Path) -> None:
    rows = ["one,40,60,c", "one,0,20, ", "two,0,5,"]
    (folder / "s.csv").write_text("\n".join(["video,start,end,text", *rows]))
    files = features_files(folder / "features")
    paragraphs = read_paragraphs(folder / "s.csv", files)
    assert [s.text for s in paragraphs.found["one"]] == ["c"] and list(paragraphs.found) == ["one"]
    assert str(paragraphs.failed["two"]) == "two: its transcript has no text"
    (folder / "s.csv").write_text("video,start,end,text\none,0,20,\n")
    with pytest.raises(DataError, match="one: its transcript has no text"):
        read_paragraphs(folder / "s.csv", files)


def test_only_a_json_has_subsets(folder: Path) -> None:
    files = features_files(folder / "features")
    for path in (folder / "subtitles", folder / "subtitles" / "one.vtt"):
        with pytest.raises(UsageError, match="has no subsets"):
            read_paragraphs(path, files, "val")

"""Which video goes with which subtitles, and what is refused before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny import draw_video, write_vtt
from vidalign.batch.pairs import Found, csv_pairs, folder_pairs, single_pair
from vidalign.errors import SubtitleError, UsageError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touched(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"x")


def outputs(found: Found) -> dict[str, tuple[str, str]]:
    return {pair.name: (str(pair.subtitles), str(pair.output)) for pair in found.pairs}


@pytest.mark.parametrize(
    ("given", "output"),
    [
        (None, "a.align.h5"),
        ("x.h5", "x.h5"),
        ("x.JSON", "x.JSON"),
        ("new/x.vtt", "new/x.vtt"),
        ("x.srt", "x.srt"),
        ("films", "films/a.align.h5"),
        ("-", None),
    ],
)
def test_where_one_alignment_goes(given: str | None, output: str | None) -> None:
    touched("films/a.mp4", "s.vtt")
    pair = single_pair(Path("films/a.mp4"), "s.vtt", given, None)
    assert pair.output == (None if output is None else Path(output))
    assert (pair.name, pair.subtitles, pair.track) == ("a.mp4", Path("s.vtt"), None)


@pytest.mark.parametrize("output", ["x.txt", "x", "x.mp4", "new/"])
def test_other_suffixes_are_refused(output: str) -> None:
    touched("a.mp4", "s.vtt")
    with pytest.raises(UsageError, match="suffix says its format") as refused:
        single_pair(Path("a.mp4"), "s.vtt", output, None)
    assert ".h5 .json .vtt .srt" in refused.value.hint


@pytest.mark.parametrize("output", ["s.vtt", "./sub/../s.vtt", "f.h5"])
def test_inputs_are_never_written_over(output: str) -> None:
    touched("a.mp4", "s.vtt", "sub/x", "f.h5")
    with pytest.raises(UsageError, match="would be written over itself"):
        single_pair(Path("a.mp4"), "s.vtt", output, Path("f.h5"))


def test_subtitles_beside_the_video(caplog: pytest.LogCaptureFixture) -> None:
    touched("a.mp4", "a.srt", "b.mp4", "b.en.vtt", "b.txt")
    assert single_pair(Path("a.mp4"), None, None, None).subtitles == Path("a.srt")
    assert single_pair(Path("b.mp4"), None, None, None).subtitles == Path("b.en.vtt")
    assert caplog.messages == ["no subtitles given; taking a.srt", "no subtitles given; taking b.en.vtt"]


def test_several_beside_the_video_are_named() -> None:
    touched("a.mp4", "a.srt", "a.vtt")
    with pytest.raises(SubtitleError, match=r"^several subtitle files fit a.mp4: a.srt and a.vtt"):
        single_pair(Path("a.mp4"), None, None, None)


def test_a_track_inside_the_video(caplog: pytest.LogCaptureFixture) -> None:
    video = draw_video(Path("a.mkv"), 1.0, tracks={"eng": ["stir"]})
    pair = single_pair(video, None, None, None)
    assert (pair.subtitles, pair.track) == (video, 1)
    assert caplog.messages == ["no subtitles given; taking track:1 of a.mkv"]
    assert single_pair(video, "track:3", None, None).track == 3


def test_several_tracks_inside_are_listed() -> None:
    video = draw_video(Path("a.mkv"), 1.0, tracks={"eng": ["stir"], "deu": ["rühren"]})
    with pytest.raises(SubtitleError, match=r"several text tracks: track:1 .*eng.*track:2 .*deu") as refused:
        single_pair(video, None, None, None)
    assert refused.value.hint == "name one, for example track:1"


def test_no_subtitles_anywhere() -> None:
    with pytest.raises(UsageError, match=r"no subtitles given, none beside a.mp4 and none inside"):
        single_pair(draw_video(Path("a.mp4"), 1.0), None, None, None)
    with pytest.raises(UsageError, match=r"none beside gone.mp4"):
        single_pair(Path("gone.mp4"), None, None, Path("f.h5"))


def test_wrong_names() -> None:
    touched("a.mp4")
    with pytest.raises(UsageError, match=r"gone.vtt does not exist"):
        single_pair(Path("a.mp4"), "gone.vtt", None, None)
    with pytest.raises(UsageError, match="'track:one' names no track"):
        single_pair(Path("a.mp4"), "track:one", None, None)


def test_two_folders_by_relative_stem() -> None:
    touched("films/a.mp4", "films/sub/b.mkv", "films/sub/c.mp4", "films/d.mp4")
    touched("texts/a.vtt", "texts/sub/b.en.srt", "texts/d.en.vtt", "texts/d.de.vtt", "texts/b.vtt")
    found = folder_pairs(Path("films"), "texts", Path("out"))
    assert outputs(found) == {
        "a.mp4": ("texts/a.vtt", "out/a.align.h5"),
        "sub/b.mkv": ("texts/sub/b.en.srt", "out/sub/b.align.h5"),
    }
    assert {failed.item.name: str(failed.error) for failed in found.failed} == {
        "d.mp4": "texts: several subtitle files fit d.mp4: d.de.vtt and d.en.vtt "
        "(name the one to take, or list the pairs in a CSV)",
        "sub/c.mp4": "films/sub/c.mp4: no subtitles: the folder texts holds none of this name "
        "(name them in a --pairs CSV)",
    }


def test_one_folder_with_both() -> None:
    touched("films/a.mp4", "films/a.vtt", "films/b.mp4", "films/b.txt")
    draw_video(Path("films/c.mkv"), 1.0, tracks={"eng": ["stir"]})
    found = folder_pairs(Path("films"), None, Path("out"))
    assert [(pair.name, str(pair.subtitles), pair.track) for pair in found.pairs] == [
        ("a.mp4", "films/a.vtt", None),
        ("c.mkv", "films/c.mkv", 1),
    ]
    assert [failed.item.name for failed in found.failed] == ["b.mp4"]


def test_folders_that_are_none() -> None:
    touched("films/a.mp4", "a.vtt")
    with pytest.raises(UsageError, match=r"films is a folder, a.vtt is not"):
        folder_pairs(Path("films"), "a.vtt", Path("out"))
    with pytest.raises(UsageError, match="gone is not"):
        folder_pairs(Path("films"), "gone", Path("out"))


def test_a_root_above_the_folder() -> None:
    touched("films/x/a.mp4", "texts/a.vtt")
    found = folder_pairs(Path("films/x"), "texts", Path("out"), Path("films"))
    assert outputs(found) == {"x/a.mp4": ("texts/a.vtt", "out/x/a.align.h5")}


def table(*lines: str, encoding: str = "utf-8") -> Path:
    Path("lists").mkdir(exist_ok=True)
    path = Path("lists/pairs.csv")
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def test_a_table() -> None:
    path = table(
        "subtitles,video,features",
        "b.srt,films/b.mp4,f.h5",
        "",
        '"c, d.vtt", films/a.mp4 ,',
        "track:2,films/a.mkv,",
        encoding="utf-8-sig",
    )
    found = csv_pairs(path, Path("out"), None)
    assert [(p.name, str(p.subtitles), str(p.output), p.track, p.features) for p in found.pairs] == [
        ("lists/films/b.mp4", "lists/b.srt", "out/lists/films/b.align.h5", None, Path("lists/f.h5")),
        ("lists/films/a.mp4", "lists/c, d.vtt", "out/lists/films/a.mp4.align.h5", None, None),
        ("lists/films/a.mkv", "lists/films/a.mkv", "out/lists/films/a.mkv.align.h5", 2, None),
    ]
    assert found.failed == ()


def test_names_in_a_table_count_from_the_root() -> None:
    path = table("video,subtitles", "films/a.mp4,a.vtt")
    assert outputs(csv_pairs(path, Path("out"), Path("lists/films"))) == {
        "a.mp4": ("lists/a.vtt", "out/a.align.h5")
    }
    with pytest.raises(UsageError, match="lies outside texts"):
        csv_pairs(path, Path("out"), Path("texts"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["video,subtitle", "a,b"], r"pairs.csv: unknown column 'subtitle'"),
        (["video,features", "a,b"], r"pairs.csv: no column 'subtitles'"),
        (["a.mp4,a.vtt"], "unknown column 'a.mp4'"),
        ([], "no column 'video'"),
        (["video,subtitles"], "no pairs"),
        (["video,subtitles", "a.mp4,a.vtt", "b.mp4"], r"pairs.csv:3: a video or its subtitles are missing"),
        (["video,subtitles", ",a.vtt"], r"pairs.csv:2: a video or its subtitles"),
        (["video,subtitles", "a.mp4,  "], r"pairs.csv:2: a video or its subtitles"),
        (["video,subtitles", "a.mp4,a,vtt"], r"pairs.csv:2: more cells than columns"),
        (["video,subtitles", "a.mp4,a.vtt", "a.mp4,b.vtt"], r"a.mp4 stands there twice"),
        (["video,subtitles", 'a.mp4,"a.vtt'], "is no CSV table"),
        (["video,subtitles", "a.mp4,track:x"], "'track:x' names no track"),
    ],
)
def test_tables_that_are_refused(lines: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        csv_pairs(table(*lines), Path("out"), None)
    assert refused.value.exit_code == 2
    assert refused.value.hint


def test_a_table_that_cannot_be_read() -> None:
    with pytest.raises(UsageError, match=r"gone.csv is no CSV table: No such file"):
        csv_pairs(Path("gone.csv"), Path("out"), None)
    with pytest.raises(UsageError, match="is no CSV table: 'utf-8' codec"):
        csv_pairs(table("video,subtitles", "ü,ü", encoding="latin-1"), Path("out"), None)


def test_finding_pairs_writes_nothing(here: Path) -> None:
    touched("films/a.mp4")
    write_vtt(Path("films/a.vtt"), "stir")
    folder_pairs(Path("films"), None, Path("out"))
    assert sorted(path.name for path in here.iterdir()) == ["films"]

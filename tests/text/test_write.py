"""Subtitles out: what changes and what must not."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidalign.errors import SubtitleError
from vidalign.text.subtitles import from_cues, parse_subtitles
from vidalign.text.subtitles.stamps import milliseconds, srt_stamp, vtt_stamp
from vidalign.text.subtitles.write import MARK, write_subtitles
from vidalign.types import Cue

VTT = """WEBVTT - title

STYLE
::cue { color: red }

NOTE about one

one
00:01.000 --> 00:02.000 align:start
First <b>line</b>

NOTE about two

two
00:00:03.000 --> 00:00:04.000
Second

00:00:05.000 --> 00:00:06.000
Third

NOTE the end
"""


def test_reordered_by_new_start_with_all_that_belongs_to_a_cue() -> None:
    file = parse_subtitles(VTT.encode(), path="a.vtt")
    written = write_subtitles(file, [(9000, 10_500), None, (0, 1000)], "vtt")
    assert written == (
        "WEBVTT - title\n\nSTYLE\n::cue { color: red }\n\nNOTE about one\n\n"
        "00:00:00.000 --> 00:00:01.000\nThird\n\n"
        "NOTE about two\n\ntwo\n00:00:03.000 --> 00:00:04.000\nSecond\n\n"
        "one\n00:00:09.000 --> 00:00:10.500 align:start\nFirst <b>line</b>\n\n"
        "NOTE the end\n"
    )


def test_ties_keep_the_old_order() -> None:
    file = parse_subtitles(VTT.encode(), path="a.vtt")
    written = write_subtitles(file, [(5000, 6000)] * 3, "vtt")
    assert written.index("First") < written.index("Second") < written.index("Third")


def test_nothing_moved_keeps_even_disorder() -> None:
    text = "WEBVTT\n\n00:05.000 --> 00:06.000\nb\n\n00:01.000 --> 00:02.000\na\n\n\n\n"
    file = parse_subtitles(text.encode(), path="a.vtt")
    assert write_subtitles(file, [None, None], "vtt") == text


def test_unaligned_dropped_or_marked() -> None:
    file = parse_subtitles(VTT.encode(), path="a.vtt")
    times = [None, (3500, 4500), None]
    dropped = write_subtitles(file, times, "vtt", unaligned="drop")
    again = parse_subtitles(dropped.encode(), path="a.vtt")
    assert [(c.start, c.end, c.id, c.plain) for c in again.cues] == [(3500, 4500, "two", "Second")]
    assert "NOTE about two" in dropped and "NOTE the end" in dropped and not again.warnings
    others = write_subtitles(file, [(500, 900), None, (100, 400)], "vtt", unaligned="drop")
    assert "NOTE about two" in others and "Second" not in others
    assert [c.plain for c in parse_subtitles(others.encode(), path="a.vtt").cues] == ["Third", "First line"]
    marked = write_subtitles(file, times, "vtt", unaligned="mark")
    assert [c.text for c in parse_subtitles(marked.encode(), path="a.vtt").cues] == [
        MARK + "First <b>line</b>",
        "Second",
        MARK + "Third",
    ]
    assert marked.replace(MARK, "") == write_subtitles(file, times, "vtt")
    everything = write_subtitles(file, [None] * 3, "srt", unaligned="mark")
    assert everything.count(MARK) == 3
    assert write_subtitles(file, [None] * 3, "vtt", unaligned="drop").startswith("WEBVTT - title\n")


def test_srt_from_vtt_and_back() -> None:
    file = parse_subtitles(VTT.encode(), path="a.vtt")
    srt = write_subtitles(file, [None, (7000, 8000), None], "srt")
    assert srt == (
        "1\n00:00:01,000 --> 00:00:02,000\nFirst <b>line</b>\n\n"
        "2\n00:00:05,000 --> 00:00:06,000\nThird\n\n3\n00:00:07,000 --> 00:00:08,000\nSecond\n"
    )
    back = write_subtitles(parse_subtitles(srt.encode(), path="a.srt"), [None] * 3, "vtt")
    assert back.startswith("WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.000\nFirst <b>line</b>\n\n")


SRT_CUE = "1\n00:00:01,000 --> 00:00:02,000\n"
VTT_CUE = "WEBVTT\n\n00:01.000 --> 00:02.000\n"
ASS_CUE = "[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,"
SBV_CUE = "0:00:01.000,0:00:02.000\n"


@pytest.mark.parametrize(
    ("source", "suffix", "vtt", "srt"),
    [
        (SRT_CUE + "AT&T <3 {\\an8}<font color=red>a</font>", "srt", "AT&amp;T &lt;3 a", None),
        (VTT_CUE + "<v Bob>a &amp;lt; <c.x>b</c> &lt;i&gt;", "vtt", None, "a &amp;lt; b &lt;i>"),
        (ASS_CUE + "{\\i1}a{\\i0} < b\\N{\\fs9}c", "ass", "<i>a</i> &lt; b\nc", "<i>a</i> < b\nc"),
        (SBV_CUE + "<b>a\n\nb\n", "sbv", "&lt;b&gt;a\nb", "&lt;b>a\nb"),
    ],
)
def test_markup_is_carried_over_or_escaped(
    source: str, suffix: str, vtt: str | None, srt: str | None
) -> None:
    file = parse_subtitles(source.encode(), path=f"a.{suffix}")
    for target, expected in (("vtt", vtt), ("srt", srt)):
        if expected is not None:
            again = parse_subtitles(write_subtitles(file, [None], target).encode(), path=f"a.{target}")
            assert [cue.text for cue in again.cues] == [expected]


def test_cues_without_layout_are_written_anew() -> None:
    cues = [Cue(1000, 2000, "a <i>b</i>", "a b", id="x", settings="align:start"), Cue(None, None, "c", "c")]
    file = from_cues(cues, format="vtt")
    assert write_subtitles(file, [None, (3000, 4000)], "vtt") == (
        "WEBVTT\n\nx\n00:00:01.000 --> 00:00:02.000 align:start\na <i>b</i>\n\n"
        "00:00:03.000 --> 00:00:04.000\nc\n"
    )


def test_untimed_cues_are_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    file = parse_subtitles(b"One.\nTwo.\nThree.\n", path="a.txt")
    with caplog.at_level(logging.WARNING, logger="vidalign.text"):
        written = write_subtitles(file, [None, (1000, 2000), None], "srt")
    assert written == "1\n00:00:01,000 --> 00:00:02,000\nTwo.\n"
    assert [record.getMessage() for record in caplog.records] == ["a.txt: 2 cues without a time are left out"]


def test_inline_stamps_move_with_their_cue() -> None:
    text = "WEBVTT\n\n00:00:01.000 --> 00:00:03.000\na<00:00:02.000><c> b</c>\n"
    file = parse_subtitles(text.encode(), path="a.vtt")
    assert "a<00:00:12.000><c> b</c>" in write_subtitles(file, [(10_000, 14_000)], "vtt")


def test_faults_are_mended_once_something_moves() -> None:
    text = "00:00:01,5 -> 00:00:02\na\n00:00:03.000-->00:00:04.000\nb\n"
    file = parse_subtitles(text.encode(), path="a.vtt", format="vtt")
    written = write_subtitles(file, [None, (5000, 6000)], "vtt")
    again = parse_subtitles(written.encode(), path="a.vtt")
    assert [(c.start, c.end, c.text) for c in again.cues] == [(1500, 2000, "a"), (5000, 6000, "b")]
    assert not [line for line in again.warnings if "blank" not in line]


def test_other_formats_and_wrong_lengths_are_refused() -> None:
    file = parse_subtitles(VTT.encode(), path="a.vtt")
    with pytest.raises(SubtitleError, match="vtt or srt, not 'ass'"):
        write_subtitles(file, [None] * 3, "ass")
    with pytest.raises(ValueError, match="2 times for 3 cues"):
        write_subtitles(file, [None] * 2, "vtt")


LINES = st.sampled_from(
    [
        *["", " ", "WEBVTT", "NOTE", "NOTE x", "STYLE", "1", "2", "57", "id", "text", "a --> b", "-->"],
        *["00:00:01.000", "00:00:02.000 --> ", "01:02 -> 01:03", "-00:00:01,0 --> 00:00:09,000"],
        *["<v Bob>x &amp; y", "\ufeff", "\x0b", "\x85"],
        *[f"00:00:0{n}.000 --> 00:00:0{n + 1}.500" for n in range(6)],
        *[f"00:00:0{n},000 --> 00:00:0{n + 1},500  X1:1" for n in range(6)],
    ]
)


@settings(max_examples=400)
@given(st.lists(LINES, max_size=14), st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["vtt", "srt"]))
def test_parse_then_write_is_the_file(lines: list[str], newline: str, format: str) -> None:
    text = newline.join(lines)
    try:
        file = parse_subtitles(text.encode(), path="x", format=format)
    except SubtitleError:
        return
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    assert write_subtitles(file, [None] * len(file.cues), format) == expected


@settings(max_examples=300)
@given(
    st.lists(LINES, max_size=14),
    st.sampled_from(["vtt", "srt"]),
    st.lists(st.integers(0, 9), min_size=14, max_size=14),
)
def test_hostile_files_keep_their_cues_when_retimed(lines: list[str], format: str, starts: list[int]) -> None:
    try:
        file = parse_subtitles("\n".join(lines).encode(), path="x", format=format)
    except SubtitleError:
        return
    times = [(n * 1000, n * 1000 + 500) for n, _ in zip(starts, file.cues, strict=False)]
    again = parse_subtitles(write_subtitles(file, times, format).encode(), path="x", format=format)
    order = sorted(range(len(times)), key=lambda n: times[n][0])
    assert [(c.start, c.id, c.plain) for c in again.cues] == [
        (times[n][0], file.cues[n].id, file.cues[n].plain) for n in order
    ]


FRAGMENTS = st.sampled_from(
    ["<b>", "</i>", "<x>", "&amp;", "&lt;", "-->", "a", " ", "<3", "57", "<00:01.000>", "[br]"]
)
TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\x00"), min_size=1),
    st.lists(FRAGMENTS, min_size=1).map("".join),
).filter(str.strip)


@given(
    st.lists(st.tuples(st.integers(0, 10**8), st.integers(1, 10**6), TEXTS), min_size=1, max_size=6),
    st.sampled_from(["vtt", "srt"]),
)
def test_any_visible_text_and_time_survives(entries: list[tuple[int, int, str]], format: str) -> None:
    entries.sort(key=lambda entry: entry[0])
    cues = [Cue(start, start + length, text, text.strip()) for start, length, text in entries]
    written = write_subtitles(from_cues(cues, format="plain"), [None] * len(cues), format)
    again = parse_subtitles(written.encode(), path="x", format=format)
    assert [(c.start, c.end) for c in again.cues] == [(c.start, c.end) for c in cues]
    for new, old in zip(again.cues, cues, strict=True):
        assert new.plain == old.plain.replace("\xa0", " ").replace("-->", "->" if format == "srt" else "-->")


@given(st.integers(0, 10**10))
def test_stamps_are_exact(ms: int) -> None:
    assert milliseconds(vtt_stamp(ms)) == milliseconds(srt_stamp(ms)) == ms

"""vtt and srt come back through the reader of subtitles, re-timed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.alignments import hostile_alignment, made_alignment
from tests.store.exports.conftest import Export
from vidalign.text.subtitles import read_subtitles
from vidalign.types import Cue

BOTH = pytest.mark.parametrize("name", ["vtt", "srt"])


@BOTH
def test_cues_come_back_at_their_segments(name: str, export: Export) -> None:
    file = read_subtitles(export(name, made_alignment()))
    assert file.format == name
    assert [(cue.start, cue.end, cue.plain, cue.id) for cue in file.cues] == [
        (1000, 3000, "stir the egg", "1"),
        (2500, 4500, "put water", "2"),
        (5000, 6500, "thanks for watching", "3"),
    ]


@BOTH
@pytest.mark.parametrize(
    ("unaligned", "last"), [("drop", "put water"), ("mark", "[unaligned] thanks for watching")]
)
def test_unaligned_cues(name: str, unaligned: str, last: str, export: Export) -> None:
    assert read_subtitles(export(name, made_alignment(), unaligned=unaligned)).cues[-1].plain == last


@BOTH
@pytest.mark.parametrize("source", ["a.vtt", "a.srt", "a.ass", "a.txt", "a.json", None])
def test_texts_of_other_formats_are_escaped(name: str, source: str | None, export: Export) -> None:
    path = export(name, made_alignment(["1 < 2 & 3"], [(0, 1)], [(1, 2)], subtitles=source))
    assert [cue.plain for cue in read_subtitles(path).cues] == ["1 < 2 & 3"]


@BOTH
def test_inline_stamps_move_along(name: str, export: Export) -> None:
    held = made_alignment(["one <00:00:01.000>two"], [(0, 2)], [(10, 14)])
    [cue] = read_subtitles(export(name, held)).cues
    assert cue.plain == "one two"
    assert [at for at, _ in cue.words][1:] == ([12000] if name == "vtt" else [])


@BOTH
def test_hostile_cues_stay_cues(name: str, export: Export) -> None:
    held = hostile_alignment()
    cues = read_subtitles(export(name, held)).cues
    assert len(cues) == len(held.cues) and cues[0].start == 1000
    assert sum("alert(1)" in cue.text for cue in cues) == 1


@BOTH
def test_blank_lines_and_arrows_in_an_edited_file_do_not_end_a_cue(name: str, export: Export) -> None:
    held = made_alignment()
    cues = (Cue(500, 2250, "a\n\nb", "", "1"), Cue(2000, 4000, "c --> d", "", "2"), *held.cues[2:])
    read = read_subtitles(export(name, replace(held, cues=cues))).cues
    assert [cue.plain for cue in read] == ["a\nb", "c -> d", "thanks for watching"]

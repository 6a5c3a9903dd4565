"""Every file of tests/data/subtitles gives what the JSON beside it says: cues, warnings, or a refusal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vidalign.errors import SubtitleError
from vidalign.text.sentences import make_transcript
from vidalign.text.subtitles import SubtitleFile, parse_subtitles
from vidalign.text.subtitles.write import write_subtitles

FOLDER = Path(__file__).parent.parent / "data" / "subtitles"
EXPECTED = {
    path.name.removesuffix(".json"): json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.glob("*.*.json"))
}
READ = [name for name, expected in EXPECTED.items() if "error" not in expected]
REFUSED = [name for name, expected in EXPECTED.items() if "error" in expected]
WRITABLE = [name for name in READ if EXPECTED[name]["format"] in ("vtt", "srt")]


def load(name: str, **options: Any) -> SubtitleFile:
    return parse_subtitles((FOLDER / name).read_bytes(), path=name, **options)


def test_every_file_has_its_expectation() -> None:
    inputs = {path.name for path in FOLDER.iterdir() if not path.name.startswith(".")}
    assert inputs == set(EXPECTED) | {f"{name}.json" for name in EXPECTED}
    assert len(READ) > 60 and len(REFUSED) > 15


@pytest.mark.parametrize("name", READ)
def test_read_right(name: str) -> None:
    expected = EXPECTED[name]
    file = load(name)
    assert (file.format, file.encoding) == (expected["format"], expected["encoding"])
    assert [(cue.start, cue.end, cue.plain) for cue in file.cues] == [
        (cue["start"], cue["end"], cue["plain"]) for cue in expected["cues"]
    ]
    for cue, known in zip(file.cues, expected["cues"], strict=True):
        fields = {key: getattr(cue, key) for key in known}
        if "words" in fields:
            fields["words"] = [list(word) for word in cue.words]
        assert fields == known
    assert [line.removeprefix(name) for line in file.warnings] == expected["warnings"]
    assert file.rolling == expected.get("rolling", False)


@pytest.mark.parametrize("name", [name for name in READ if "sentences" in EXPECTED[name]])
def test_sentences(name: str) -> None:
    sentences = make_transcript(load(name)).sentences
    found = [[s.text, s.start, s.end, s.first_cue, s.last_cue] for s in sentences]
    assert found == EXPECTED[name]["sentences"]


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_its_line(name: str) -> None:
    expected = EXPECTED[name]["error"]
    with pytest.raises(SubtitleError) as caught:
        load(name)
    assert expected["message"] in caught.value.message
    assert caught.value.message.startswith(name) and "\n" not in str(caught.value)
    assert caught.value.line == expected["line"]
    assert caught.value.hint or expected["line"] or ":" in caught.value.message


@pytest.mark.parametrize("name", WRITABLE)
def test_written_back_as_it_was(name: str) -> None:
    file = load(name)
    data = (FOLDER / name).read_bytes()
    text = data.decode("utf-16-be" if "utf16_no_bom" in name else file.encoding)
    written = write_subtitles(file, [None] * len(file.cues), file.format)
    bom = "\ufeff" if file.encoding == "utf-8-sig" else ""
    assert written == bom + text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize("name", WRITABLE)
def test_only_times_change(name: str) -> None:
    file = load(name)
    times = [(max(cue.start, 0) + 60_000, max(cue.end, cue.start, 0) + 60_000) for cue in file.cues]
    written = write_subtitles(file, times, file.format)
    again = parse_subtitles(written.encode(), path=name, format=file.format)
    order = sorted(range(len(times)), key=lambda place: times[place][0])
    assert [(cue.start, cue.end) for cue in again.cues] == [times[place] for place in order]
    for cue, place in zip(again.cues, order, strict=True):
        old = file.cues[place]
        assert (cue.plain, cue.id, cue.settings) == (old.plain, old.id, old.settings)
        assert old.words or cue.text == old.text
    for block in file.blocks:
        if block.cue is None and block.text.strip():
            assert block.text.strip() in written


@pytest.mark.parametrize("target", ["vtt", "srt"])
@pytest.mark.parametrize("name", READ)
def test_other_formats_keep_cues_and_visible_text(name: str, target: str) -> None:
    file = load(name)
    written = write_subtitles(file, [None] * len(file.cues), target)
    if file.cues[0].start is None:
        assert written.strip() == ("WEBVTT" if target == "vtt" else "")
        return
    again = parse_subtitles(written.encode(), path=f"x.{target}")
    assert again.format == target
    assert [cue.end for cue in again.cues] == [max(cue.end or 0, 0) for cue in file.cues]
    if target != file.format:
        assert [cue.plain for cue in again.cues] == [
            "\n".join(line for line in cue.plain.split("\n") if line.strip()).replace("-->", "->")
            if target == "srt"
            else "\n".join(line for line in cue.plain.split("\n") if line.strip())
            for cue in file.cues
        ]
        assert not [line for line in again.warnings if "time" in line and "end" not in line]

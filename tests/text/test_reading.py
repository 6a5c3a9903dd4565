"""Reading subtitle files from disk: encodings, options, refusals, and what is not imported for it."""

from __future__ import annotations

import errno
import json
import os
import pickle
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from vidalign.errors import SubtitleError
from vidalign.text import subtitles
from vidalign.text.sentences import make_transcript
from vidalign.text.subtitles import parse_subtitles, read_subtitles
from vidalign.text.subtitles.model import Notes

CUE = "1\n00:00:01,000 --> 00:00:02,000\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Zażółć gęślą jaźń, dziękuję bardzo", "cp1250"),
        ("Das ist schön, viele Grüße", "cp1252"),
        ("¿Qué tal? Mañana será otro día", "cp1252"),
        ("café", "cp1252"),
        ("Καλημέρα σας, τι κάνετε", "cp1253"),
        ("先把鸡蛋打散，然后加一点盐", "gb18030"),
        ("Привет, как дела сегодня", "cp1251"),
    ],
)
def test_encodings_are_detected_and_said(text: str, encoding: str) -> None:
    file = parse_subtitles((CUE + text).encode(encoding), path="a.srt")
    assert (file.cues[0].plain, file.encoding) == (text, encoding)
    assert file.warnings == (f"a.srt: read as {encoding}, not UTF-8",)


def test_utf8_wins_over_the_given_encoding_and_that_over_detection() -> None:
    utf8 = parse_subtitles((CUE + "schön").encode(), path="a.srt", encoding="cp1251")
    assert (utf8.encoding, utf8.cues[0].plain) == ("utf-8", "schön")
    turkish = parse_subtitles((CUE + "İşte yağ").encode("cp1254"), path="a.srt", encoding="cp1254")
    assert turkish.cues[0].plain == "İşte yağ"
    escaped = parse_subtitles((CUE + "卵").encode("iso-2022-jp"), path="a.srt", encoding="iso-2022-jp")
    assert escaped.cues[0].plain == "卵"
    with pytest.raises(SubtitleError, match="no encoding called 'nonsense'"):
        parse_subtitles(CUE.encode(), path="a.srt", encoding="nonsense")
    with pytest.raises(SubtitleError, match=r"a\.srt:3: cannot be read as ascii"):
        parse_subtitles((CUE + "ö").encode("cp1252"), path="a.srt", encoding="ascii")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SubtitleError, match="no such subtitle file") as missing:
        read_subtitles(tmp_path / "a.vtt")
    assert missing.value.errno == errno.ENOENT
    with pytest.raises(SubtitleError, match="cannot be read: Is a directory") as folder:
        read_subtitles(tmp_path)
    assert folder.value.errno == errno.EISDIR
    (tmp_path / "a.vtt").write_text(CUE + "One")
    with pytest.raises(SubtitleError, match="no subtitle format 'xyz'") as caught:
        read_subtitles(tmp_path / "a.vtt", format="xyz")
    assert "vtt, srt" in caught.value.hint
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value) and copy.path == caught.value.path


def test_what_is_no_plain_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.vtt")
    (tmp_path / "zero.vtt").symlink_to("/dev/zero")
    for name in ("a.vtt", "zero.vtt"):
        with pytest.raises(SubtitleError, match=rf"{name}: is not a plain file"):
            read_subtitles(tmp_path / name)


def test_a_file_may_be_so_large_and_no_larger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.srt"
    path.write_text(CUE + "One " * 512)
    for most, refused in ((path.stat().st_size, False), (path.stat().st_size - 1, True)):
        monkeypatch.setattr(subtitles, "MOST_BYTES", most)
        with pytest.raises(SubtitleError, match="has more than") if refused else nullcontext():
            read_subtitles(path)


def test_the_wanted_video_among_many(tmp_path: Path) -> None:
    captions = {v: {"text": [f"of {v}"], "start": [1], "end": [2]} for v in ("abc", "def")}
    (tmp_path / "all.json").write_text(json.dumps(captions))
    (tmp_path / "all.csv").write_text("vid,start,end,text\nabc,1,2,of abc\ndef,1,2,of def\n")
    (tmp_path / "one.json").write_text(json.dumps({"abc": captions["abc"]}))
    for name in ("all.json", "all.csv"):
        file = read_subtitles(tmp_path / name, video="def")
        assert [cue.plain for cue in file.cues] == ["of def"] and not file.warnings
        with pytest.raises(SubtitleError, match="captions of 2 videos, but none of 'xyz'"):
            read_subtitles(tmp_path / name, video="xyz")
    assert "taken for 'other'" in read_subtitles(tmp_path / "one.json", video="other").warnings[0]


def test_a_kind_of_warning_is_said_once() -> None:
    notes = Notes(path="a.vtt")
    for line in (3, 5, 9):
        notes.add("odd", line, f"detail {line}")
    notes.add("other")
    assert notes.lines() == ("a.vtt:3: odd: detail 3 (and 2 more like it)", "a.vtt: other")


@pytest.mark.parametrize("format", ["vtt", "srt"])
def test_ten_thousand_cues(format: str) -> None:
    point = "." if format == "vtt" else ","
    body = "".join(
        f"{n + 1}\n{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}{point}000 --> "
        f"{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}{point}900\nsome words for cue {n}.\n\n"
        for n in range(10_000)
    )
    file = parse_subtitles((("WEBVTT\n\n" if format == "vtt" else "") + body).encode(), path=f"a.{format}")
    assert len(file.cues) == 10_000 and file.warnings == ()
    assert len(make_transcript(file, "sentence").sentences) == 10_000


def test_the_registry_is_light() -> None:
    code = (
        "import sys, vidalign.text.subtitles, vidalign.text.subtitles.beside\n"
        "heavy = {'numpy', 'torch', 'av', 'h5py', 'decord', 'charset_normalizer'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

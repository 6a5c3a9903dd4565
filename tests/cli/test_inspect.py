"""`vidalign inspect`: for people in a terminal, and for programs."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from pathlib import Path

import pytest

from tests.tiny import Run, made_features, write_vtt
from vidalign.store.features import write_features


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_features(Path("f.h5"), made_features(30))
    return tmp_path


@pytest.fixture
def aligned(tiny: Path, cli: Run) -> None:
    """x.h5 and x.json say the same of three sentences, all aligned."""
    write_vtt(Path("w.vtt"), "stir the egg", "混ぜる 卵を", "put \x1b[31mwater", step=10)
    for name in ("x.h5", "x.json"):
        code, _, err = cli("align", "clip.mp4", "w.vtt", "--features", "f.h5", "-o", name, "--threshold", "0")
        assert code == 0, err


def test_features(cli: Run) -> None:
    code, out, err = cli("inspect", "f.h5")
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == [
        "features of clip.mp4",
        "  30 clips of 256 numbers (float32), from 0:00 to 0:30",
    ]


def test_features_for_programs(cli: Run) -> None:
    code, out, _ = cli("inspect", "f.h5", "--json")
    values = json.loads(out)
    assert (code, values["kind"], values["clips"], values["width"]) == (0, "features", 30, 256)
    assert values["recipe"]["fps"] == 8


@pytest.mark.parametrize("name", ["x.h5", "x.json"])
def test_an_alignment(name: str, aligned: None, cli: Run) -> None:
    code, out, err = cli("inspect", name, "--width", "90")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "alignment of clip.mp4 with w.vtt"
    assert "3 of 3 sentences aligned" in lines[1]
    assert "mini knows: the synthetic how-to world of vidalign only" in lines[2]
    assert [len(line) for line in lines[4:7]] == [32, 32, 32]
    assert set("".join(line[2:] for line in lines[4:7])) <= set(" ░▒▓█")
    assert lines[7].split()[0] == "0:00"
    assert lines[-3].startswith("aligned ")
    assert "stir the egg" in lines[-3]
    assert "混ぜる 卵を" in lines[-2]
    assert "\x1b" not in out


def visible(line: str) -> int:
    """How wide a terminal shows a line."""
    shown = (c for c in re.sub("\x1b\\[[0-9;]*m", "", line) if not unicodedata.combining(c))
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in shown)


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: True, raising=False)


@pytest.mark.parametrize("coloured", [False, True], ids=["plain", "colour"])
@pytest.mark.parametrize("width", [1, 2, 5, 11, 12, 19, 20, 21, 40, 80, 137, 400])
def test_any_width(
    width: int, coloured: bool, aligned: None, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    plain = cli("inspect", "x.h5")[1]
    if coloured:
        on_a_terminal(monkeypatch)
    code, out, _ = cli("inspect", "x.h5", *(["--width", str(width)] if width >= 20 else []))
    assert code == 0
    assert max(visible(line) for line in out.splitlines()) <= width
    assert re.sub("\x1b\\[[0-9;]*m", "", out) == plain
    assert ("\x1b" in out) == coloured


def test_an_alignment_for_programs(aligned: None, cli: Run) -> None:
    values = json.loads(cli("inspect", "x.h5", "--json")[1])
    assert values == json.loads(cli("inspect", "x.json", "--json")[1])
    assert (values["kind"], values["clips"], values["aligned_sentences"]) == ("alignment", 30, 3)
    assert "similarity" not in values
    assert [sentence["aligned"] for sentence in values["sentences"]] == [True] * 3


def test_colours_on_a_terminal_only(aligned: None, cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_terminal(monkeypatch)
    out = cli("inspect", "x.h5")[1]
    assert out.count("\x1b[32maligned\x1b[0m") == 3
    for shade, colour in {"░": 25, "▒": 38, "▓": 114, "█": 227}.items():
        assert f"\x1b[38;5;{colour}m{shade}" in out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in cli("inspect", "x.h5")[1]


STRANGE = {
    "missing": ("gone.h5", 2, "'gone.h5' does not exist"),
    "a folder": (".", 2, "'.' is a directory"),
    "text": ("words.txt", 1, "words.txt is not a file of vidalign; give a .h5 or .json file that it wrote"),
    "empty": ("empty.h5", 1, "empty.h5 is not a file of vidalign"),
    "cut": ("cut.h5", 1, "cut.h5 is a damaged or cut off HDF5 file"),
    "other json": ("other.json", 1, "other.json"),
    "other hdf5": ("other.h5", 1, "other.h5 is an HDF5 file of another program"),
}


@pytest.mark.parametrize(("name", "code", "message"), STRANGE.values(), ids=STRANGE.keys())
def test_other_files(name: str, code: int, message: str, cli: Run) -> None:
    import h5py

    Path("words.txt").write_text("words")
    Path("empty.h5").touch()
    Path("cut.h5").write_bytes(Path("f.h5").read_bytes()[:900])
    Path("other.json").write_text('{"a": 1}')
    with h5py.File("other.h5", "w") as file:
        file["x"] = 1
    found, out, err = cli("inspect", name)
    assert (found, out) == (code, "")
    [line] = err.splitlines()
    assert message in line

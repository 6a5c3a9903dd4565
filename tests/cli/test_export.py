"""`vidalign export`: what goes where, what fails alone, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.alignments import empty_alignment, hostile_alignment, made_alignment
from tests.tiny import Run, made_features
from vidalign.store.alignments import write_alignment
from vidalign.store.exports.registry import BUILT_IN, get_format
from vidalign.store.features import write_features

ALIGNMENTS = [name for name in BUILT_IN if get_format(name).kind == "alignment"]
FEATURES = [name for name in BUILT_IN if get_format(name).kind == "features"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """in/a.align.h5, in/sub/b.json, in/f.h5."""
    monkeypatch.chdir(tmp_path)
    write_alignment(Path("in/a.align.h5"), made_alignment())
    write_alignment(Path("in/sub/b.json"), made_alignment())
    write_features(Path("in/f.h5"), made_features(3))
    return tmp_path


@pytest.mark.parametrize("name", ALIGNMENTS)
def test_one_alignment(name: str, cli: Run) -> None:
    code, out, err = cli("export", "in/a.align.h5", "--to", name)
    assert (code, err) == (0, "")
    [line] = out.splitlines()
    assert line == "a" + get_format(name).suffix and Path(line).stat().st_size


@pytest.mark.parametrize("name", FEATURES)
def test_one_features_file(name: str, cli: Run) -> None:
    code, out, err = cli("export", "in/f.h5", "--preset", name)
    assert code == 0
    assert out == f"f{get_format(name).suffix}\n"
    assert ("the tool takes a row to be" in err) == (name in ("moment-detr", "mad"))


@pytest.mark.parametrize("name", ALIGNMENTS)
@pytest.mark.parametrize("held", [hostile_alignment(), empty_alignment(), made_alignment(clips=0)])
def test_hostile_and_empty_alignments(name: str, held: object, cli: Run) -> None:
    write_alignment(Path("x.align.h5"), held)  # type: ignore[arg-type]
    code, out, _ = cli("export", "x.align.h5", "--to", name)
    assert code == 0 and Path(out.strip()).exists()


def test_a_folder_keeps_its_structure(cli: Run) -> None:
    code, out, err = cli("export", "in", "--to", "eaf", "-o", "out")
    assert code == 0 and out.splitlines() == ["out/a.eaf", "out/sub/b.eaf"]
    assert err == "2 items: 2 done\n"
    code, out, _ = cli("export", "in", "--to", "tan", "-o", "out", "--json")
    assert [json.loads(line)["output"] for line in out.splitlines()] == ["out/f.mp4.npy"]


def test_many_go_into_one_file(cli: Run) -> None:
    code, out, _ = cli("export", "in", "--to", "csv", "-o", "all.csv")
    assert (code, out) == (0, "all.csv\n")
    lines = Path("all.csv").read_text("utf-8").splitlines()
    assert [line.partition(",")[0] for line in lines] == ["video", *["a"] * 3, *["sub/b"] * 3]


def test_stdout(cli: Run) -> None:
    code, out, err = cli("export", "in/a.align.h5", "--to", "vtt", "-o", "-")
    assert (code, err) == (0, "") and out.startswith("WEBVTT\n\n1\n00:00:01.000 --> 00:00:03.000\n")
    assert not list(Path().glob("*.vtt"))


def test_options_reach_the_format(cli: Run) -> None:
    cli("export", "in/a.align.h5", "--to", "srt", "--unaligned", "drop")
    assert "thanks" not in Path("a.srt").read_text("utf-8")
    cli("export", "in/a.align.h5", "--to", "label-studio", "--frame-rate", "10", "--video", "s3://x/")
    [task] = json.loads(Path("a.json").read_text("utf-8"))
    assert task["data"] == {"video": "s3://x/clip.mp4", "fps": 10.0}


def test_the_same_again_is_done_already(cli: Run) -> None:
    assert cli("export", "in/a.align.h5", "--to", "eaf")[0] == 0
    code, out, _ = cli("export", "in/a.align.h5", "--to", "eaf", "--json")
    assert code == 0 and json.loads(out)["status"] == "skipped"
    Path("a.eaf").write_text("my notes")
    code, out, err = cli("export", "in/a.align.h5", "--to", "eaf")
    assert (code, out) == (2, "") and "a.eaf is there already, with other content" in err
    assert Path("a.eaf").read_text() == "my notes"
    assert cli("export", "in/a.align.h5", "--to", "eaf", "--overwrite")[0] == 0
    assert "ANNOTATION_DOCUMENT" in Path("a.eaf").read_text("utf-8")


@pytest.mark.parametrize(("name", "lines"), [("eaf", 1), ("csv", 1)])
def test_a_broken_file_fails_alone(name: str, lines: int, cli: Run) -> None:
    Path("in/broken.align.h5").write_bytes(Path("in/a.align.h5").read_bytes()[:900])
    output = "out/" if name == "eaf" else "out.csv"
    code, out, err = cli("export", "in", "--to", name, "-o", output)
    assert code == 1 and "in/broken.align.h5 is a damaged or cut off HDF5 file" in err
    assert len(out.splitlines()) == (2 if name == "eaf" else 1)


def test_nothing_readable_writes_nothing(cli: Run) -> None:
    Path("bad.h5").write_bytes(b"x")
    code, out, err = cli("export", "bad.h5", "--to", "csv", "-o", "x.csv")
    assert (code, out) == (1, "") and len(err.splitlines()) == 1
    assert not Path("x.csv").exists()


WRONG = {
    "no format": (("in/f.h5",), 2, "say what to export to, with --to FORMAT"),
    "unknown": (("in/f.h5", "--to", "elan"), 2, "unknown format 'elan'"),
    "nothing": (("--to", "eaf"), 2, "there is nothing to export"),
    "features": (
        ("in/f.h5", "--to", "eaf"),
        1,
        "in/f.h5 holds vidalign.features/1, but vidalign.alignment/1",
    ),
    "alignment": (("in/a.align.h5", "--to", "tan"), 1, "holds vidalign.alignment/1, but vidalign.features/1"),
    "idle option": (
        ("in/a.align.h5", "--to", "csv", "--dtype", "float16"),
        2,
        "--dtype means nothing to csv",
    ),
    "no file name": (("in", "--to", "csv"), 2, "2 files go into one; add -o FILE.csv"),
    "a folder": (("in", "--to", "csv", "-o", "in"), 2, "in is a folder, but all goes into one file"),
    "many to stdout": (("in", "--to", "vtt", "-o", "-"), 2, "only one file can go to stdout"),
    "empty folder": (("empty", "--to", "vtt"), 2, "no alignment file in the folder empty"),
    "twice": (("in/a.align.h5", "in/sub/a.json", "--to", "vtt"), 2, "are both called a"),
}


@pytest.mark.parametrize(("args", "code", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_refused(args: tuple[str, ...], code: int, message: str, cli: Run) -> None:
    Path("empty").mkdir()
    write_alignment(Path("in/sub/a.json"), made_alignment())
    Path("in/sub/b.json").unlink()
    found, out, err = cli("export", *args)
    assert (found, out) == (code, "")
    [line] = err.splitlines()
    assert message in line


def test_the_list_names_all(cli: Run) -> None:
    code, out, _ = cli("export", "--list")
    assert code == 0 and [line.split()[0] for line in out.splitlines()] == list(BUILT_IN)
    rows = [json.loads(line) for line in cli("export", "--list", "--json")[1].splitlines()]
    assert {row["name"] for row in rows if row["imports"]} == set(FEATURES)


def test_dots_that_vslnet_cuts_are_told(cli: Run) -> None:
    write_features(Path("v.en.h5"), made_features(3))
    assert "the tool will call it 'v'" in cli("export", "v.en.h5", "--preset", "vslnet")[2]

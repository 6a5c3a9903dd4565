"""`vidalign view`: pages from files, with their videos found, and an index of several."""

from __future__ import annotations

import json
import re
import webbrowser
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.tiny import Run, made_features
from tests.viewer.sample import sample
from vidalign.cli import view
from vidalign.store.alignments import write_alignment
from vidalign.store.features import write_features

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with x.align.h5, y.align.json and their video."""
    monkeypatch.chdir(tmp_path)
    Path("howto.mp4").write_bytes((EXAMPLES / "howto.mp4").read_bytes()[:1000])
    write_alignment(Path("x.align.h5"), sample())
    write_alignment(Path("y.align.json"), sample(4))
    return tmp_path


def values_of(page: Path) -> dict:
    found = re.search(r'id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_a_page(cli: Run) -> None:
    assert cli("view", "x.align.h5") == (0, "x.html\n", "")
    values = values_of(Path("x.html"))
    assert (values["url"], len(values["text"])) == ("howto.mp4", 30)


def test_the_bundled_example(cli: Run) -> None:
    code, _, _ = cli("align", EXAMPLES / "howto.mp4", EXAMPLES / "howto.vtt", "-o", "e.align.h5")
    assert code == 0
    truth = EXAMPLES / "howto.truth.json"
    code, out, err = cli("view", "e.align.h5", "-o", "out/e.html", "--video", EXAMPLES, "--truth", truth)
    assert (code, out, err) == (0, "out/e.html\n", "")
    values = values_of(Path("out/e.html"))
    assert sum(values["aligned"]) == 17
    assert sum(row is not None for row in values["truth"]) == 18
    assert (Path("out") / values["url"]).samefile(EXAMPLES / "howto.mp4")
    assert values["notice"].startswith("mini knows")


def test_for_programs(cli: Run) -> None:
    code, out, _ = cli("view", "x.align.h5", "--json")
    assert code == 0
    assert json.loads(out) == {
        "page": "x.html",
        "kind": "alignment",
        "name": "howto.mp4",
        "sentences": 30,
        "aligned": 10,
        "median_shift": 4.5,
    }


@pytest.mark.parametrize("name", ["with space & 100%.mp4", "a:b?c#d.mp4", "卵.mp4"])
def test_any_name_of_a_video_is_a_url(name: str, cli: Run) -> None:
    Path("howto.mp4").rename(name)
    code, _, err = cli("view", "x.align.h5", "--video", name, "-o", "pages/deep/x.html")
    assert (code, err) == (0, "")
    url = values_of(Path("pages/deep/x.html"))["url"]
    assert re.fullmatch(r"\.\./\.\./[A-Za-z0-9%._-]+", url)


def test_the_video_is_found_beside_the_file(cli: Run) -> None:
    Path("deep").mkdir()
    Path("x.align.h5").rename("deep/x.align.h5")
    Path("howto.mp4").rename("deep/howto.mp4")
    assert cli("view", "deep/x.align.h5")[0] == 0
    assert values_of(Path("x.html"))["url"] == "deep/howto.mp4"


def test_a_video_that_is_not_there(cli: Run) -> None:
    Path("howto.mp4").unlink()
    code, out, err = cli("view", "x.align.h5")
    assert (code, out) == (0, "x.html\n")
    assert "warning: x.align.h5: howto.mp4 was not found" in err
    assert values_of(Path("x.html"))["url"] is None
    code, out, err = cli("view", "x.align.h5", "--embed", "-o", "z.html")
    assert (code, out) == (1, "")
    assert "say where it is with --video" in err
    assert not Path("z.html").exists()


def test_a_video_inside(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("view", "x.align.h5", "--embed")[0] == 0
    assert 'data-blob="movie"' in Path("x.html").read_text("utf-8")
    assert values_of(Path("x.html"))["url"] is None
    monkeypatch.setattr(view, "MOST_EMBEDDED", 999)
    code, _, err = cli("view", "x.align.h5", "--embed")
    assert code == 2
    assert "too much to be carried inside a page; leave out --embed" in err


def test_several_files_have_an_index(cli: Run) -> None:
    Path("sub").mkdir()
    write_alignment(Path("sub/x.align.h5"), replace(sample(2), video=None))
    code, out, err = cli("view", "x.align.h5", "y.align.json", "sub/x.align.h5")
    assert code == 0
    assert out.split() == ["report/x.html", "report/y.html", "report/x-2.html", "report/index.html"]
    assert err.count("not found") == 1
    entries = values_of(Path("report/index.html"))["entries"]
    assert [(entry["name"], entry["href"], entry["sentences"]) for entry in entries] == [
        ("howto.mp4", "x.html", 30),
        ("howto.mp4", "y.html", 4),
        ("x", "x-2.html", 2),
    ]
    assert values_of(Path("report/x.html"))["url"] == "../howto.mp4"


def test_an_index_with_a_name(cli: Run) -> None:
    code, out, _ = cli("view", "x.align.h5", "y.align.json", "-o", "all.html", "--json")
    assert code == 0
    assert [json.loads(line)["page"] for line in out.splitlines()] == ["all/x.html", "all/y.html", "all.html"]
    assert values_of(Path("all.html"))["entries"][0]["href"] == "all/x.html"


def test_a_bad_file_among_several_does_not_stop_the_others(cli: Run) -> None:
    Path("bad.align.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))
    write_features(Path("f.h5"), made_features())
    code, out, err = cli("view", "bad.align.h5", "x.align.h5", "f.h5")
    assert code == 1
    assert out.split() == ["report/x.html", "report/index.html"]
    assert len(err.splitlines()) == 2
    assert "f.h5 holds features, not an alignment" in err


def test_features_are_no_alignment(cli: Run) -> None:
    write_features(Path("f.h5"), made_features())
    code, out, err = cli("view", "f.h5")
    assert (code, out) == (1, "")
    assert err == (
        "vidalign: error: f.h5 holds features, not an alignment; "
        "make one with `vidalign align VIDEO SUBTITLES --features f.h5`\n"
    )


def test_a_page_replaces_a_page_and_nothing_else(cli: Run) -> None:
    for _ in range(2):
        assert cli("view", "x.align.h5")[0] == 0
    Path("x.html").write_text("<!doctype html><p>mine")
    code, _, err = cli("view", "x.align.h5")
    assert code == 2
    assert "x.html exists and is not a page of vidalign; give another -o, or --overwrite" in err
    assert Path("x.html").read_text() == "<!doctype html><p>mine"
    assert cli("view", "x.align.h5", "--overwrite")[0] == 0
    Path("index.html").write_text("mine")
    assert cli("view", "x.align.h5", "y.align.json", "-o", ".")[0] == 2
    assert not Path("y.html").exists()


def test_the_browser_is_opened(cli: Run, monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or len(opened) == 1)
    assert cli("view", "x.align.h5", "--open")[2] == ""
    assert opened == [(here / "x.html").as_uri()]
    code, _, err = cli("view", "x.align.h5", "y.align.json", "--open")
    assert code == 0
    assert "no browser could be opened; open report/index.html in one" in err
    assert opened[1] == (here / "report" / "index.html").as_uri()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["gone.h5"], 2, "'gone.h5' does not exist"),
        ([], 2, "missing argument"),
        (
            ["x.align.h5", "y.align.json", "--video", "howto.mp4"],
            2,
            "is one video for 2 files; give a folder",
        ),
        (["x.align.h5", "--truth", "howto.mp4"], 1, "howto.mp4 is not JSON"),
        (["x.align.h5", "--truth", "other.json"], 1, "other.json has no truth for howto; it has a, b"),
        (["x.align.h5", "--truth", "one.json"], 1, "one.json has 1 rows for the 30 sentences of x"),
        (["bad.align.h5"], 1, "the times of the clips are not finite and ascending"),
        (
            ["x.align.h5", "-o", "howto.mp4/x.html"],
            2,
            "cannot write into howto.mp4: howto.mp4 is not a folder",
        ),
    ],
)
def test_what_cannot_be_is_told_in_one_line(arguments: list[str], code: int, message: str, cli: Run) -> None:
    Path("other.json").write_text('{"a": [], "b": []}')
    Path("one.json").write_text('{"x": [[1, 0, 1, "a"]]}')
    write_alignment(Path("bad.align.h5"), replace(sample(1, 2), times=np.array([[0, 1], [np.nan, 2]])))
    found, out, err = cli("view", *arguments)
    assert (found, out) == (code, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_the_same_file_gives_the_same_page(cli: Run) -> None:
    cli("view", "x.align.h5", "-o", "a.html")
    cli("view", "x.align.h5", "-o", "b.html")
    assert Path("a.html").read_bytes() == Path("b.html").read_bytes()

"""`vidalign plot`: alignments in, a figure out, one clear line for anything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.alignments import made_alignment
from tests.tiny import Run, made_features
from vidalign.store.alignments import write_alignment
from vidalign.store.features import write_features


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """a.align.h5, b.json, f.h5, truth.json, wrong.json."""
    monkeypatch.chdir(tmp_path)
    write_alignment(Path("a.align.h5"), made_alignment())
    write_alignment(Path("b.json"), made_alignment(decoder="dtw"))
    write_features(Path("f.h5"), made_features(3))
    rows = [[1, 1.0, 2.5, "a"], [0, 2.0, 4.0, "b"], [1, 6.0, 7.0, "c"]]
    Path("truth.json").write_text(json.dumps({"clip": rows}))
    Path("wrong.json").write_text(json.dumps({"clip": rows[:2]}))
    return tmp_path


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_one_alignment(suffix: str, cli: Run) -> None:
    code, out, err = cli("plot", "a.align.h5", "-o", f"fig.{suffix}", "--truth", "truth.json", "--dpi", "50")
    assert (code, out, err) == (0, f"fig.{suffix}\n", "")
    assert Path(f"fig.{suffix}").stat().st_size > 1000


def test_several_methods_get_their_names(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    titles: list[str] = []

    def remember(path: Path, format: str, panels: list[object], look: object) -> None:
        titles.extend(panel.title for panel in panels)  # type: ignore[attr-defined]
        path.write_text("x")

    monkeypatch.setattr("vidalign.viewer.figure.write_figure", remember)
    cli("plot", "a.align.h5", "b.json", "-o", "x.png")
    cli("plot", "a.align.h5", "b.json", "-o", "x.png", "--label", "ours", "--label", "theirs")
    cli("plot", "a.align.h5", "-o", "x.png")
    assert titles == ["tan + peak", "tan + dtw", "ours", "theirs", "clip.mp4"]


def test_again_is_no_change_and_other_content_is_refused(cli: Run) -> None:
    line = ("plot", "a.align.h5", "-o", "x.svg")
    assert [cli(*line)[0], cli(*line)[0]] == [0, 0]
    code, out, err = cli(*line, "--end", "3")
    assert (code, out) == (2, "") and "x.svg is there already" in err
    assert cli(*line, "--end", "3", "--overwrite")[0] == 0


WRONG = {
    "features": (("f.h5", "-o", "x.png"), 1, "f.h5 holds vidalign.features/1, but vidalign.alignment/1"),
    "suffix": (("a.align.h5", "-o", "x.jpg"), 2, "x.jpg is no name of a figure; it ends in .png, .svg, .pdf"),
    "labels": (("a.align.h5", "-o", "x.png", "--label", "a", "--label", "b"), 2, "2 labels for 1 files"),
    "span": (("a.align.h5", "-o", "x.png", "--start", "5", "--end", "5"), 2, "--start must be before --end"),
    "truth": (("a.align.h5", "-o", "x.png", "--truth", "wrong.json"), 1, "wrong.json has 2 rows for the 3"),
    "no truth": (("a.align.h5", "-o", "x.png", "--truth", "b.json"), 1, "is no list of rows"),
}


@pytest.mark.parametrize(("args", "code", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_refused(args: tuple[str, ...], code: int, message: str, cli: Run) -> None:
    found, out, err = cli("plot", *args)
    assert (found, out) == (code, "") and not Path("x.png").exists()
    [line] = err.splitlines()
    assert message in line

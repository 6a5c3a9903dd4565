"""`vidalign merge`: a folder in one file, and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.alignments import made_alignment
from tests.tiny import Run, made_features
from vidalign.store.alignments import write_alignment
from vidalign.store.features import write_features


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """f/a.h5, f/sub/b.h5, f/c.align.h5."""
    monkeypatch.chdir(tmp_path)
    write_features(Path("f/a.h5"), made_features(4))
    write_features(Path("f/sub/b.h5"), made_features(3, seed=9))
    write_alignment(Path("f/c.align.h5"), made_alignment())
    return tmp_path


@pytest.mark.parametrize("how", [(), ("--virtual",)], ids=["copied", "virtual"])
@pytest.mark.parametrize(
    ("kind", "names"), [("features", ["a.h5", "sub/b.h5"]), ("alignment", ["c.align.h5"])]
)
def test_there_and_back(how: tuple[str, ...], kind: str, names: list[str], cli: Run) -> None:
    code, out, err = cli("merge", "f", "-o", "all.h5", "--kind", kind, *how)
    assert (code, out) == (0, "all.h5\n"), err
    code, out, err = cli("merge", "all.h5", "--split", "-o", "back")
    assert (code, out.splitlines()) == (0, [f"back/{name}" for name in names]), err
    for name in names:
        assert Path("back", name).read_bytes() == Path("f", name).read_bytes()
    assert "already done" in cli("merge", "all.h5", "--split", "-o", "back")[2]


def test_the_merged_file_may_lie_in_the_folder(cli: Run) -> None:
    assert cli("merge", "f", "-o", "f/all.h5")[0] == 0
    code, out, err = cli("merge", "f", "-o", "f/all.h5", "--overwrite")
    assert (code, out) == (0, "f/all.h5\n"), err
    assert len(cli("merge", "f/all.h5", "--split", "-o", "back")[1].splitlines()) == 2


def test_inspect_says_what_it_is(cli: Run) -> None:
    cli("merge", "f", "-o", "all.h5")
    code, _, err = cli("inspect", "all.h5")
    assert code == 1 and "all.h5 holds many files merged into one" in err


def refused(cli: Run, *args: str) -> tuple[int, str]:
    code, out, err = cli("merge", *args)
    assert out == ""
    return code, err.splitlines()[0]


def test_what_is_refused(cli: Run) -> None:
    Path("there.h5").touch()
    write_features(Path("g/odd.h5"), made_features(3, backbone="other"))
    Path("bad").mkdir()
    Path("bad/x.h5").write_bytes(Path("f/a.h5").read_bytes()[:500])
    write_alignment(Path("j/x.json"), made_alignment())
    for args, code, message in (
        (("f", "-o", "there.h5"), 2, "there.h5 is there already"),
        (("f", "-o", "f"), 2, "f is a folder"),
        (("f", "g", "-o", "x.h5"), 2, "backbone: mini / other"),
        (("f", "g", "--split", "-o", "x"), 2, "--split takes one merged file"),
        (("f/a.h5", "--split", "-o", "x"), 1, "but vidalign.pack/1 is expected here"),
        (("bad", "-o", "x.h5"), 1, "bad/x.h5 is a damaged or cut off HDF5 file"),
        (("j", "-o", "x.h5", "--kind", "alignment", "--virtual"), 2, "nothing can point into"),
    ):
        found, line = refused(cli, *args)
        assert (found, message in line) == (code, True), (args, line)
        assert not Path("x.h5").exists()

"""Where nothing can be written every command says so in one line, before it begins."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tests.tiny import Run, made_features, write_vtt
from tests.training import toy
from vidalign.cli import main as console
from vidalign.cli.main import main
from vidalign.store.atomic import atomic_path
from vidalign.store.features import write_features
from vidalign.training.jobs import TASKS

COMMANDS = {
    "view": "view x.align.h5 -o {}/x.html",
    "view of several": "view x.align.h5 x.align.h5 -o {}/report",
    "plot": "plot x.align.h5 -o {}/x.svg",
    "export": "export x.align.h5 --to vtt -o {}/x.vtt",
    "merge": "merge features -o {}/all.h5",
    "split": "merge features/a.h5 --split -o {}",
    "synth": "synth -o {}",
    "train": "train toy.yaml -o {}",
    "import-features": "import-features v.npy --preset videoclip --recipe mini-8fps -o {}",
    "extract-text": "extract-text x.vtt --model clip-vit-b32 -o {}/x.h5",
    "extract": "extract x.mp4 -o {}",
}
BY_COMMAND = pytest.mark.parametrize("line", COMMANDS.values(), ids=COMMANDS)


class Disk(NamedTuple):
    total: int
    free: int


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(TASKS, toy.NAME, "tests.training.toy:ToyJob")
    for name in ("x.align.h5", "x.mp4", "file"):
        Path(name).touch()
    Path("shut").mkdir()
    Path("toy.yaml").write_text(toy.CONFIG)
    write_vtt(Path("x.vtt"), ["Stir."])
    write_features(Path("features/a.h5"), made_features(2))
    np.save("v.npy", np.ones((3, 512), np.float16))


@BY_COMMAND
def test_no_permission(line: str, cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode, **_: not mode & os.W_OK)
    code, out, err = cli(*line.format("shut/new").split())
    assert (code, out) == (1, "")
    assert "error: cannot write into shut/new" in err
    assert err.endswith(": no permission to write shut; choose another folder\n")
    assert not list(Path("shut").iterdir())


@BY_COMMAND
def test_a_file_where_a_folder_should_be(line: str, cli: Run) -> None:
    code, out, err = cli(*line.format("file/new").split())
    assert (code, out) == (2, "")
    assert err.endswith(": file is not a folder; choose another folder\n")


def test_a_disk_that_is_full(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    code, out, err = cli("synth", "-o", "new", "--features-only", "--seconds", "30")
    assert (code, out) == (1, "")
    assert err.endswith(": No space left on device; make room there, or choose another folder\n")
    assert not [path for path in Path("new").rglob("*") if path.is_file()]


def test_a_merged_file_that_the_disk_has_no_room_for(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not begun: where a disk fills up under HDF5 it can crash the process."""
    size = Path("features/a.h5").stat().st_size
    for disk, expected in ((Disk(size, size - 1), 1), (Disk(size, size), 0), (Disk(0, 0), 0)):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, disk=disk: disk)
        code, _, err = cli("merge", "features", "-o", "all.h5")
        assert code == expected
        assert code == 0 or "all.h5: No space left on device; make room there" in err
        assert Path("all.h5").exists() == (code == 0)
        Path("all.h5").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("number", "said"),
    {
        errno.EACCES: "x: Permission denied; look who may read, write or run it, or choose another folder",
        errno.ENAMETOOLONG: "x: File name too long; choose a shorter name",
    }.items(),
)
def test_what_the_system_refuses_anywhere_is_one_line(
    number: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number), "x")

    monkeypatch.setattr("vidalign.batch.outputs.check_writable", refuse)
    assert main(["synth", "-o", "new"]) == 1
    assert capsys.readouterr().err == f"vidalign: error: {said}\n"


def test_what_nobody_knows_a_way_out_of_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise FileNotFoundError(errno.ENOENT, "gone", "x")

    monkeypatch.setattr("vidalign.batch.outputs.check_writable", fail)
    with pytest.raises(FileNotFoundError):
        console.main(["synth", "-o", "new"])


@pytest.mark.parametrize("name", ["a.h5", "new/a.h5"])
def test_what_is_wrong_while_a_file_is_made_names_the_file(name: str, tmp_path: Path) -> None:
    """Where the library that writes it says the temporary name, or none."""
    from vidalign.errors import StoreError

    for number, known in ((errno.EIO, True), (errno.ENOSPC, False)):
        with pytest.raises(StoreError, match=f"cannot write {tmp_path / name}"):  # noqa: SIM117
            with atomic_path(tmp_path / name) as temporary:
                raise OSError(number, os.strerror(number), *([str(temporary)] if known else []))
    with pytest.raises(OSError, match="input") as told, atomic_path(tmp_path / name):
        raise OSError(errno.EIO, os.strerror(errno.EIO), "input")
    assert not isinstance(told.value, StoreError)
    assert not list(tmp_path.rglob("*.tmp-*"))

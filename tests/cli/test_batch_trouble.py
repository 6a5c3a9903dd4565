"""Disks, permissions and signals: one line each, an exit code, nothing half-written, nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.tiny import PROGRAM, Run, draw_video, start


def left(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def films(tmp_path: Path, clip_file: Path) -> Path:
    """Three videos."""
    folder = tmp_path / "films"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.mp4").write_bytes(clip_file.read_bytes())
    return folder


def test_a_file_that_grows_too_large_for_its_disk(films: Path, tiny_files: Path, tmp_path: Path) -> None:
    line = [*PROGRAM, "extract", films, "-o", tmp_path / "out", "--backbone", "mini", "--device", "cpu"]
    line += ["--weights", tiny_files / "mini-s3d.safetensors", "--workers", "0"]
    limited = ["bash", "-c", 'ulimit -f 4; exec "$@"', "-", *map(str, line)]
    done = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    lines = [line for line in done.stderr.splitlines() if "error:" in line]
    assert [("cannot write" in line, "File too large" in line) for line in lines] == [(True, True)] * 3
    assert "Traceback" not in done.stderr
    assert left(tmp_path / "out") == ["a.error.json", "b.error.json", "c.error.json", "run.json"]
    told = json.loads((tmp_path / "out" / "a.error.json").read_text())
    assert (told["error"], told["permanent"]) == ("StoreError", False)


def test_a_folder_that_must_not_be_written(
    tiny: Path, films: Path, tmp_path: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("extract", films / "a.mp4", "-o", tmp_path / "out")[0] == 0
    before = left(tmp_path / "out")
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    code, out, err = cli("extract", films, "-o", tmp_path / "out")
    assert (code, out) == (1, "")
    assert [line for line in err.splitlines() if "error:" in line] == [
        f"vidalign: error: cannot write into {tmp_path / 'out'}: no permission to write {tmp_path / 'out'}; "
        "choose another folder"
    ]
    assert left(tmp_path / "out") == before
    assert cli("extract", films / "a.mp4", "-o", tmp_path / "out")[0] == 0


def test_an_input_that_vanishes_or_must_not_be_read(
    tiny: Path, films: Path, tmp_path: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (films / "b.mp4").unlink()
    (films / "b.mp4").symlink_to(films / "gone.mp4")
    code, out, err = cli("extract", films, "-o", tmp_path / "out")
    assert code == 1
    assert len(out.splitlines()) == 2
    [line] = [line for line in err.splitlines() if "error:" in line]
    assert "b.mp4 does not exist" in line
    (films / "b.mp4").unlink()
    draw_video(films / "b.mp4", 1.0)
    code, out, _ = cli("extract", films, "-o", tmp_path / "out")
    assert (code, len(out.splitlines())) == (0, 3)
    assert left(tmp_path / "out") == ["a.h5", "b.h5", "c.h5", "run.json"]


def test_what_a_killed_run_left_to_do_is_done_by_the_next(
    films: Path, tiny_files: Path, tmp_path: Path
) -> None:
    how = ["-o", tmp_path / "out", "--backbone", "mini", "--device", "cpu", "--workers", "0", "--json"]
    how += ["--weights", tiny_files / "mini-s3d.safetensors", "--recipe", "s3d-16fps"]
    draw_video(films / "b.mp4", 20.0)
    first = start("extract", films, *how)
    assert first.stdout is not None
    assert json.loads(first.stdout.readline())["status"] == "done"
    first.send_signal(signal.SIGKILL)
    first.communicate()
    said, err = start("extract", films, *how).communicate()
    ends = [json.loads(line)["status"] for line in said.splitlines()]
    assert (len(ends), set(ends), b"error" in err) == (3, {"done", "skipped"}, False)
    assert left(tmp_path / "out") == ["a.h5", "b.h5", "c.h5", "run.json"]

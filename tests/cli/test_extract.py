"""`vidalign extract` as people and shell scripts use it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.tiny import Run, cut_short, draw_sound, draw_video, start
from vidalign.batch.extract import Planned
from vidalign.batch.report import ItemResult
from vidalign.store.records import is_record


@pytest.fixture
def folder(tmp_path: Path, clip_file: Path, broken_file: Path) -> Path:
    """Good, colliding, nested, broken and impossible videos."""
    films = tmp_path / "films"
    (films / "sub dir").mkdir(parents=True)
    for name in ("a.mp4", "sub dir/b é.mp4"):
        (films / name).write_bytes(clip_file.read_bytes())
    draw_video(films / "a.mkv", 2.0)
    (films / "cut.mkv").write_bytes(broken_file.read_bytes())
    (films / "empty.mp4").touch()
    (films / "text.mp4").write_text("these are words\n")
    draw_sound(films / "sound.mp4")
    (films / "notes.txt").write_text("no video")
    return films


@pytest.fixture
def two(tmp_path: Path, clip_file: Path) -> Path:
    """Two good videos in a folder."""
    films = tmp_path / "two"
    films.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (films / name).write_bytes(clip_file.read_bytes())
    return films


def names(folder: Path) -> list[str]:
    """The files below a folder, without the batch's own notes."""
    files = (path for path in folder.rglob("*") if path.is_file() and not is_record(path.name))
    return sorted(path.relative_to(folder).as_posix() for path in files)


def records(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


def stdin_of(paths: list[Path]) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO("\n".join(map(str, paths)).encode()))


DONE = ["a.mkv.h5", "a.mp4.h5", "cut.h5", "sub dir/b é.h5"]


def test_a_folder_with_bad_files(tiny: Path, folder: Path, tmp_path: Path, cli: Run) -> None:
    code, out, err = cli("extract", folder, "-o", tmp_path / "out")
    assert code == 1
    assert names(tmp_path / "out") == DONE
    assert sorted(out.splitlines()) == [str(tmp_path / "out" / name) for name in DONE]
    lines = err.splitlines()
    assert "knows only the synthetic how-to world" in lines[0]
    for name, reason in (("empty", "is empty"), ("text", "cannot be opened"), ("sound", "no picture")):
        [line] = [line for line in lines if f"{name}.mp4" in line]
        assert line.startswith("vidalign: error: ")
        assert reason in line
    assert any("warning" in line and "cut.mkv: the file breaks off" in line for line in lines)
    assert lines[-1] == "7 items: 3 done, 1 partial, 3 failed"


def test_again_skips_what_is_done(tiny: Path, folder: Path, tmp_path: Path, cli: Run) -> None:
    cli("extract", folder, "-o", tmp_path / "out")
    before = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in DONE}
    code, out, err = cli("extract", folder, "-o", tmp_path / "out", "--json")
    assert code == 1
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in DONE} == before
    statuses = {str(record["item"]): record["status"] for record in records(out)}
    assert statuses.pop("cut.mkv") == "skipped"
    assert set(statuses.values()) == {"skipped", "failed"}
    assert "7 items: 4 already done, 3 failed" in err


def test_overwrite_makes_the_same_again(tiny: Path, two: Path, tmp_path: Path, cli: Run) -> None:
    cli("extract", two, "-o", tmp_path / "out")
    output = tmp_path / "out" / "a.h5"
    before, made = output.read_bytes(), output.stat().st_mtime_ns
    code, _, err = cli("extract", two, "-o", tmp_path / "out", "--overwrite")
    assert (code, output.read_bytes()) == (0, before)
    assert output.stat().st_mtime_ns > made
    assert "2 items: 2 done" in err


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        (["--dtype", "float32"], "dtype: float16 / float32"),
        (["--recipe", "s3d-16fps"], "recipe fps: 8.0 / 16.0"),
    ],
)
def test_outputs_of_other_settings_are_refused_before_any_work(
    changes: list[str], difference: str, tiny: Path, two: Path, tmp_path: Path, cli: Run
) -> None:
    cli("extract", two / "b.mp4", "-o", tmp_path / "out")
    before = (tmp_path / "out" / "b.h5").read_bytes()
    code, out, err = cli("extract", two, "-o", tmp_path / "out", *changes)
    assert (code, out) == (2, "")
    [line] = err.splitlines()
    assert difference in line
    assert "b.h5 was made otherwise" in line
    assert line.endswith("choose another output, or replace it with --overwrite")
    assert names(tmp_path / "out") == ["b.h5"]
    assert (tmp_path / "out" / "b.h5").read_bytes() == before
    assert cli("extract", two, "-o", tmp_path / "out", *changes, "--overwrite")[0] == 0


def test_another_video_of_the_same_name_fails_alone(tiny: Path, two: Path, tmp_path: Path, cli: Run) -> None:
    cli("extract", two / "a.mp4", "-o", tmp_path / "out")
    before = (tmp_path / "out" / "a.h5").read_bytes()
    draw_video(two / "a.mp4", 1.0)
    code, _, err = cli("extract", two, "-o", tmp_path / "out")
    assert code == 1
    [line] = [line for line in err.splitlines() if "error: " in line]
    assert "a.mp4: the input has changed since " in line and "video_size: " in line
    assert line.endswith("--overwrite makes it again; or remove the output")
    assert (tmp_path / "out" / "a.h5").read_bytes() == before
    assert names(tmp_path / "out") == ["a.h5", "b.h5"]
    assert cli("extract", two, "-o", tmp_path / "out", "--dtype", "float32")[0] == 2
    (tmp_path / "out" / "a.h5").unlink()
    assert cli("extract", two, "-o", tmp_path / "out")[0] == 0


def test_other_weights_are_refused(tiny: Path, two: Path, tmp_path: Path, cli: Run) -> None:
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes((tiny / "mini-s3d.safetensors").read_bytes())
    assert cli("extract", two, "-o", tmp_path / "out")[0] == 0
    assert cli("extract", two, "-o", tmp_path / "out", "--weights", weights)[0] == 0
    weights.write_bytes(weights.read_bytes() + b" ")
    code, _, err = cli("extract", two, "-o", tmp_path / "out", "--weights", weights)
    assert code == 2
    assert "weights_sha256: " in err


def test_a_foreign_file_where_the_output_belongs(tiny: Path, two: Path, tmp_path: Path, cli: Run) -> None:
    (tmp_path / "a.h5").write_text("my thesis")
    code, _, err = cli("extract", two, "-o", tmp_path)
    assert code == 1
    assert "a.h5 is not an HDF5 file" in err
    assert "replace it with --overwrite" in err
    assert (tmp_path / "a.h5").read_text() == "my thesis"
    assert (tmp_path / "b.h5").exists()


def test_strict_counts_what_breaks_off_as_failed(
    tiny: Path, broken_file: Path, tmp_path: Path, cli: Run
) -> None:
    plain = ("extract", broken_file, "-o", tmp_path)
    assert cli(*plain)[0] == 0
    assert cli(*plain, "--strict")[0] == 1
    code, out, _ = cli(*plain, "--strict", "--overwrite", "--json")
    assert code == 1
    [record] = records(out)
    assert (record["status"], record["truncated"]) == ("partial", True)
    assert "the file breaks off" in record["warnings"][0]  # type: ignore[index]
    with h5py.File(tmp_path / "broken.h5") as file:
        assert file.attrs["truncated"]
        assert 1 < file.attrs["decoded_until"] < 5


def test_fail_fast_stops(tiny: Path, folder: Path, tmp_path: Path, cli: Run) -> None:
    code, _, err = cli("extract", folder, "-o", tmp_path / "out", "--fail-fast")
    assert code == 1
    assert names(tmp_path / "out") == DONE[:3]
    assert "4 items: 2 done, 1 partial, 1 failed" in err


def test_fail_fast_goes_on_after_what_failed_earlier(tiny: Path, two: Path, tmp_path: Path, cli: Run) -> None:
    (two / "a.mp4").write_bytes(b"")
    cli("extract", two / "a.mp4", "-o", tmp_path / "out")
    code, _, err = cli("extract", two, "-o", tmp_path / "out", "--fail-fast")
    assert (code, "2 items: 1 done, 1 failed" in err) == (1, True)


def test_dry_run_writes_nothing(tiny: Path, two: Path, tmp_path: Path, cli: Run) -> None:
    code, out, err = cli("extract", two, "-o", tmp_path / "out", "--dry-run")
    assert (code, out) == (0, "")
    assert f"would write {tmp_path / 'out' / 'a.h5'}" in err
    assert "2 items: 2 to do" in err
    assert not (tmp_path / "out").exists()
    code, out, _ = cli("extract", two, "-o", tmp_path / "out", "--dry-run", "--json")
    assert [record["status"] for record in records(out)] == ["planned", "planned"]


def test_several_backbones_get_a_folder_each(
    tiny: Path, two: Path, tmp_path: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, list[Path]] = {}

    def pretend(plan: list[Planned], **how: object) -> Iterator[ItemResult]:
        for extraction, items in plan:
            asked[extraction.backbone] = [item.output for item in items]
            for item in items:
                yield ItemResult(item.name, "done", str(item.source), str(item.output))

    monkeypatch.setattr("vidalign.batch.extract.extract_items", pretend)
    monkeypatch.setattr(sys, "stdin", stdin_of([two / "a.mp4"]))
    monkeypatch.chdir(tmp_path)
    both = ("--backbone", "mini", "--backbone", "s3d-howto100m", "--backbone", "mini")
    code, out, err = cli("extract", "-", "-o", "out", *both)
    assert code == 0
    assert asked == {name: [Path("out", name, "two/a.h5")] for name in ("mini", "s3d-howto100m")}
    assert out.splitlines() == ["out/mini/two/a.h5", "out/s3d-howto100m/two/a.h5"]
    assert "2 items: 2 done" in err


def test_a_missing_one_of_several_backbones_stops_all(
    tiny: Path, two: Path, tmp_path: Path, cli: Run
) -> None:
    both = ("--backbone", "mini", "--backbone", "s3d-howto100m")
    code, _, err = cli("extract", two, "-o", tmp_path / "out", *both)
    assert code == 2
    assert "s3d-howto100m" in err
    assert not (tmp_path / "out").exists()
    assert cli("extract", two, "-o", tmp_path / "out", "--backbone", "mini", "--backbone", "mini")[0] == 0
    assert names(tmp_path / "out") == ["a.h5", "b.h5"]


def test_one_weights_file_for_several_backbones_is_refused(
    tiny: Path, two: Path, tmp_path: Path, cli: Run
) -> None:
    more = ("--backbone", "mini", "--backbone", "s3d-howto100m", "--weights", tiny / "mini-s3d.safetensors")
    code, _, err = cli("extract", two, "-o", tmp_path / "out", *more)
    assert code == 2
    assert "--weights goes with one --backbone only" in err


def test_a_list_on_stdin(
    tiny: Path, two: Path, tmp_path: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", stdin_of([Path("two/a.mp4"), Path("gone.mp4"), two / "b.mp4"]))
    code, out, _ = cli("extract", "-", "-o", "out", "--json")
    assert code == 1
    last = records(out)[-1]["progress"]
    assert isinstance(last, dict)
    assert (last["videos"], last["of"], last["seconds"], last["failed"], last["left"]) == (3, 3, 6.0, 1, 0.0)
    found = sorted(records(out), key=lambda record: str(record["source"] == "gone.mp4") + str(record["item"]))
    assert [record["status"] for record in found] == ["done", "done", "failed"]
    for record in found:
        assert record.pop("progress")
    assert found[0].pop("seconds")
    assert found[0] == {
        "status": "done",
        "item": "two/a.mp4",
        "source": "two/a.mp4",
        "output": "out/two/a.h5",
        "clips": 3,
        "width": 256,
        "duration": 3.0,
        "reader": found[0]["reader"],
    }
    assert (found[2]["item"], found[2]["error"], found[2]["output"]) == ("gone.mp4", "VideoError", None)


def test_paths_outside_the_root_are_refused(
    tiny: Path, two: Path, tmp_path: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(two)
    monkeypatch.setattr(sys, "stdin", stdin_of([tmp_path / "elsewhere.mp4"]))
    code, _, err = cli("extract", "-", "-o", "out")
    assert code == 2
    assert "give --root" in err


def test_an_empty_list_is_no_error(
    tiny: Path, tmp_path: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", stdin_of([]))
    code, out, err = cli("extract", "-", "-o", tmp_path / "out")
    assert (code, out) == (0, "")
    assert "nothing to do" in err


MISTAKES = {
    "no source": (["-o", "out"], "missing argument 'SOURCE...'"),
    "no output": (["two"], "missing option '-o'"),
    "a folder without videos": (["bare", "-o", "out"], "no video in the folder bare"),
    "output like a file": (["two", "-o", "out.h5"], "out.h5: features go into a folder; give -o DIR"),
    "output is a file": (["two", "-o", "file"], "is a file"),
    "output below a file": (["two", "-o", "file/out"], "cannot write into file/out: file is not a folder"),
    "unknown model": (["two", "-o", "out", "--backbone", "s4d"], "unknown model 's4d'"),
    "model that extracts nothing": (["two", "-o", "out", "--backbone", "tan-htm370k"], "not a backbone"),
    "missing model": (
        ["two", "-o", "out", "--backbone", "s3d-howto100m"],
        "vidalign models add s3d-howto100m",
    ),
    "unknown recipe": (["two", "-o", "out", "--recipe", "gone.yaml"], "unknown recipe 'gone.yaml'"),
    "unknown device": (["two", "-o", "out", "--device", "tpu"], "unknown device 'tpu'"),
    "missing weights": (["two", "-o", "out", "--weights", "gone.pth"], "'gone.pth' does not exist"),
    "weights that are none": (["two", "-o", "out", "--weights", "file"], "file: "),
    "unknown key in a recipe": (
        ["two", "-o", "out", "--recipe", "key.yaml"],
        "key.yaml: unknown key 'colour'",
    ),
    "wrong layer": (["two", "-o", "out", "--recipe", "layer.yaml"], "asks for layer 'mixed_9'"),
    "odd clips": (["two", "-o", "out", "--recipe", "odd.yaml"], "frames is 5, but mini takes multiples of 2"),
}
BASE = "fps: 4\nframes: 4\nstride: 1\nsize: 32\ncrop_size: 32\nlayer: mixed_5c\n"


@pytest.mark.parametrize(("args", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_are_told_in_one_line(
    args: list[str],
    message: str,
    tiny: Path,
    two: Path,
    tmp_path: Path,
    cli: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bare").mkdir()
    Path("file").write_text("words")
    Path("key.yaml").write_text(BASE + "colour: red\n")
    Path("layer.yaml").write_text(BASE.replace("mixed_5c", "mixed_9"))
    Path("odd.yaml").write_text(BASE.replace("frames: 4", "frames: 5"))
    code, out, err = cli("extract", *args)
    assert (code, out) == (2, "")
    errors = [line for line in err.splitlines() if "error:" in line]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in err
    assert not Path("out").exists()


def test_a_wrong_path_is_that_item_s_failure(tiny: Path, tmp_path: Path, cli: Run) -> None:
    code, out, err = cli("extract", "gone.mp4", "-o", tmp_path / "out")
    assert (code, out) == (1, "")
    assert "error: gone.mp4 does not exist; check the name" in err


def test_a_recipe_file(tiny: Path, clip_file: Path, tmp_path: Path, cli: Run) -> None:
    (tmp_path / "fast.yaml").write_text(BASE.replace("stride: 1", "stride: 0.25"))
    code, _, _ = cli("extract", clip_file, "-o", tmp_path, "--recipe", tmp_path / "fast.yaml")
    assert code == 0
    with h5py.File(tmp_path / "clip.h5") as file:
        assert json.loads(file.attrs["recipe"])["name"] == "fast"
        assert np.allclose(np.diff(file["times"][:, 0]), 0.25)


def test_which_reader_and_why_is_said_with_v(tiny: Path, clip_file: Path, tmp_path: Path, cli: Run) -> None:
    _, _, err = cli("extract", clip_file, "-o", tmp_path, "-v", "--reader", "pyav")
    assert f"{clip_file}: read with pyav" in err
    assert "(asked for)" in err


def test_quiet_says_errors_only(tiny: Path, folder: Path, tmp_path: Path, cli: Run) -> None:
    _, _, err = cli("extract", folder, "-o", tmp_path / "out", "-q")
    assert len(err.splitlines()) == 3
    assert all("error:" in line for line in err.splitlines())


@pytest.mark.parametrize("args", [["films", "-o", "out"], ["films", "-o", "new", "--recipe", "gone"]])
def test_without_work_torch_is_not_imported(
    args: list[str], tiny: Path, clip_file: Path, tmp_path: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("films").mkdir()
    Path("films/a.mp4").write_bytes(clip_file.read_bytes())
    weights = ["--weights", str(tiny / "mini-s3d.safetensors"), "--device", "cpu"]
    assert cli("extract", "films", "-o", "out", *weights)[0] == 0
    program = (
        "import sys; from vidalign.cli.main import main; code = main(sys.argv[1:]);"
        "print(code, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", program, "extract", *args, *weights]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[-1] == ("2 False" if "gone" in args else "0 False")


@pytest.fixture(scope="module")
def long_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short video first and one of a minute next."""
    films = tmp_path_factory.mktemp("long")
    draw_video(films / "a.mp4", 1.0)
    draw_video(films / "b.mp4", 90.0)
    return films


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_work_and_leaves_nothing_half_done(
    number: int, code: int, tiny_files: Path, long_file: Path, tmp_path: Path
) -> None:
    weights = tiny_files / "mini-s3d.safetensors"
    process = start(
        "extract", "-", "--root", long_file, "-o", tmp_path, "--weights", weights,
        "--recipe", "s3d-16fps", "--json",
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write("\n".join(map(str, sorted(long_file.iterdir()))).encode())
    process.stdin.close()
    first = json.loads(process.stdout.readline())
    assert (first["item"], first["status"]) == ("a.mp4", "done")
    process.send_signal(number)
    said = process.stderr.read().decode()
    assert (process.wait(20), process.stdout.read()) == (code, b"")
    process.stdout.close()
    process.stderr.close()
    assert "Traceback" not in said
    assert names(tmp_path) == ["a.h5"]


def test_nobody_listens_any_more(tiny_files: Path, two: Path, tmp_path: Path) -> None:
    weights = tiny_files / "mini-s3d.safetensors"
    more = [two / f"{name}.mp4" for name in "cdefgh"]
    for copy in more:
        copy.write_bytes((two / "a.mp4").read_bytes())
    process = start("extract", two, "-o", tmp_path / "out", "--weights", weights)
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline().decode().strip() == str(tmp_path / "out" / "a.h5")
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(20) == 141
    assert "Traceback" not in said and "error" not in said
    assert not [name for name in names(tmp_path / "out") if not name.endswith(".h5")]


@pytest.mark.parametrize(("given", "holds"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_idle_threads_of_the_model_leave_the_cores_to_the_decoder(given: dict[str, str], holds: str) -> None:
    program = (
        "import os; from vidalign.cli import main;"
        "main.main = lambda args: print(os.environ['OMP_WAIT_POLICY']) or 0; main.run()"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | given
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (0, f"{holds}\n")


def test_cut_before_its_first_clip(tiny: Path, clip_file: Path, tmp_path: Path, cli: Run) -> None:
    cut = cut_short(clip_file, tmp_path / "cut.mp4", 0.1)
    code, _, err = cli("extract", cut, "-o", tmp_path / "out")
    assert code == 1
    assert "cut.mp4" in err
    assert "1 item: 1 failed" in err

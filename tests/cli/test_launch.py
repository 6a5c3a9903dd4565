"""Many jobs from one line: through SLURM's programs, through submitit, and by the example for sbatch."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fake_slurm import Slurm, slurm
from tests.model_folders import backbone_folder
from tests.tiny import Run
from vidalign.batch import launch as launching
from vidalign.batch.launch import ShardRun
from vidalign.batch.shards import Dealing

__all__ = ["slurm"]
SBATCH_FILE = Path(__file__).parents[2] / "examples" / "slurm" / "extract.sbatch"
NAMES = ("a.mp4", "b.mp4", "c.mp4", "d.mp4")


@pytest.fixture
def films(tmp_path: Path, clip_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four short videos and, as `s3d`, a small backbone, in the current folder; jobs read by themselves."""
    monkeypatch.setenv("VIDALIGN_EXTRACT_WORKERS", "0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIDALIGN_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "films"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes(clip_file.read_bytes())
    backbone_folder(tmp_path / "s3d")
    return folder


def made(folder: Path) -> list[str]:
    return sorted(path.with_suffix(".mp4").name for path in folder.glob("*.h5"))


def dealt(number: int, total: int) -> list[str]:
    return [name for name in NAMES if Dealing(total).number_of(name) == number]


def test_the_shards_of_an_array_by_the_example(films: Path, slurm: Slurm, tmp_path: Path) -> None:
    out, rest = tmp_path / "out", ("--backbone", "s3d", "--start-delay", "0")

    def submit(array: str, *more: str) -> None:
        line = ["sbatch", f"--array={array}", str(SBATCH_FILE), str(films), str(out), *rest, *more]
        subprocess.run(line, check=True, capture_output=True)

    submit("5-6")
    assert slurm.codes([5, 6]) == [0, 0]
    assert made(out) == list(NAMES)
    assert 0 < len(dealt(1, 2)) < len(NAMES)
    for path in out.glob("*.h5"):
        path.unlink()
    slurm.forget()
    submit("6")
    assert slurm.codes([6]) == [0]
    assert made(out) == dealt(2, 2)
    slurm.forget()
    submit("1-2")
    assert slurm.codes([1, 2]) == [2, 2]
    assert made(out) == dealt(2, 2)


def test_slurm_gets_an_array_and_the_exit_codes(films: Path, slurm: Slurm, cli: Run, tmp_path: Path) -> None:
    (films / "d.mp4").write_bytes(b"no video")
    code, out, err = cli(
        *("extract", films, "-o", "out", "--backbone", "s3d", "--launch", "slurm", "--jobs", "2"),
        *("--launch-option", "partition=gpu", "--launch-option", "mem-gb=8", "-q", "--json"),
    )
    assert code == 0, err
    told = [json.loads(line) for line in out.splitlines()]
    assert [(job["shard"], job["job"]) for job in told] == [("1/2", "7000_0"), ("2/2", "7000_1")]
    assert {"--array=0-1%2", "--partition=gpu", "--mem=8GB", "--signal=USR2@90"} <= {*slurm.options}
    assert slurm.codes([0, 1]) == [int("d.mp4" in dealt(number, 2)) for number in (1, 2)]
    assert made(tmp_path / "out") == ["a.mp4", "b.mp4", "c.mp4"]
    assert [job["log"] for job in told if "d.mp4" in Path(job["log"]).read_text("utf-8")]


def test_here_as_a_trial_with_a_list(films: Path, tmp_path: Path) -> None:
    (films / "a.mp4").write_bytes(b"no video")
    line = ("extract", "-", "-o", "out", "--backbone", "s3d", "--launch", "local", "--jobs", "2", "--json")
    done = subprocess.run(
        [sys.executable, "-c", "from vidalign.cli.main import run; run()", *line, "--launch-logs", "logs"],
        input="\n".join(f"films/{name}" for name in NAMES),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    ends = {job["shard"]: job["failed"] for job in map(json.loads, done.stdout.splitlines())}
    listed = [name for name in ("films/a.mp4",) if Dealing(2).number_of(name) == 1]
    assert ends == {"1/2": bool(listed), "2/2": not listed}
    assert made(tmp_path / "out" / "films") == ["b.mp4", "c.mp4", "d.mp4"]
    assert "failed: see" in done.stderr


def test_a_job_that_runs_out_of_time_is_queued_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is stopped in order, SIGTERM, and starts again with what it had finished."""
    submitit = pytest.importorskip("submitit")
    script = (
        "import os, pathlib, signal, sys, time\n"
        "begun = pathlib.Path('begun'); stopped = pathlib.Path('stopped')\n"
        "signal.signal(signal.SIGTERM, lambda *_: (stopped.touch(), sys.exit(143)))\n"
        "again = begun.exists(); begun.write_text(f'{os.getpid()} {os.getppid()}.')\n"
        "time.sleep(0 if again else 100)\n"
    )
    run = ShardRun((sys.executable, "-c", script), tmp_path, None, leave=False)
    executor = submitit.LocalExecutor(tmp_path / "logs")
    executor.update_parameters(timeout_min=2)
    job = executor.submit(run)
    end, begun = time.monotonic() + 60, tmp_path / "begun"
    while not (begun.exists() and begun.read_text("utf-8").endswith(".")):
        assert time.monotonic() < end
        time.sleep(0.05)
    for process in begun.read_text("utf-8").rstrip(".").split():
        os.kill(int(process), signal.SIGUSR2)  # SLURM warns every process of the job
    assert job.result() == 0
    assert (tmp_path / "stopped").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--launch", "slurm"), "--launch needs --jobs N"),
        (("--launch", "slurm", "--jobs", "2", "--shard", "1/2"), "deals the shards itself"),
        (("--jobs", "2"), "go with --launch"),
        (("--launch-option", "partition=gpu"), "go with --launch"),
        (("--launch", "slurm", "--jobs", "2"), "no SLURM here"),
        (("--launch", "local", "--jobs", "2", "--launch-option", "gpus"), "is not NAME=VALUE"),
        (("--launch", "local", "--jobs", "2", "--launch-option", "colour=red"), "Unknown argument 'colour'"),
        (
            ("--launch", "local", "--jobs", "2", "--launch-option", "mem_gb=much"),
            'Parameter "mem_gb" expected',
        ),
    ],
)
def test_what_cannot_be_launched(films: Path, cli: Run, more: tuple[str, ...], said: str) -> None:
    code, out, err = cli("extract", films, "-o", "out", *more)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_without_submitit_the_pip_line_is_told(
    films: Path, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    code, _, err = cli("extract", films, "-o", "out", "--launch", "slurm", "--jobs", "2")
    assert code == 2
    assert "pip install 'vidalign[slurm]'" in err


def test_a_job_is_told_what_was_typed(films: Path, cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags, counts, repeated options and names that look like options; not what the environment says."""
    told: list[list[str]] = []
    monkeypatch.setattr(launching, "launch", lambda command, *_, **__: told.append(command("1/2")) or ())
    monkeypatch.setenv("VIDALIGN_EXTRACT_DTYPE", "float32")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"films/a.mp4")))
    typed = ("--backbone", "mini", "--backbone", "s3d", "--overwrite", "--fail-fast", "-vv", "--root", films)
    typed = (*typed, "--workers", "auto", "--memory", "64", "--engine", "ray", "--engine-option", "cpus=2")
    assert (
        cli("extract", "-o", "out", *typed, "--launch", "slurm", "--jobs", "2", "--", "-x.mp4", "-")[0] == 0
    )
    [words] = told
    assert words[:2] == [sys.executable, "-c"]
    assert words[3:8] == ["extract", "--launch", "no", "--shard", "1/2"]
    assert words[-3:] == ["--", "-x.mp4", "-"]
    options = " ".join(words[8:-3]).split(" --")
    expected = f"--output out --backbone mini --backbone s3d --root {films} --overwrite --fail-fast"
    expected += " --memory 64 --engine ray --engine-option cpus=2"
    assert sorted(options) == sorted([*expected.split(" --"), "verbose", "verbose"])


def test_a_random_start(films: Path, cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("vidalign.cli.launch.time.sleep", waits.append)
    line = ("extract", films, "-o", "out", "--backbone", "s3d", "--start-delay", "50")
    assert cli(*line, "--dry-run")[0] == 0
    assert not waits
    assert cli(*line, "--shard", "1/1")[0] == 0
    assert len(waits) == 1
    assert 0 <= waits[0] <= 50


def test_alignments_are_launched_alike(films: Path, cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[list[str]] = []
    monkeypatch.setattr(launching, "launch", lambda command, *_, **__: told.append(command("2/2")) or ())
    assert cli("align", films, "-o", "out", "--no-matrix", "--launch", "slurm", "--jobs", "2")[0] == 0
    assert told[0][3:] == [
        *("align", "--launch", "no", "--shard", "2/2"),
        *("--output", "out", "--no-matrix", "--", str(films)),
    ]

"""A run that is killed and started again ends with the same weights and journal, bit for bit."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.training.conftest import records
from tests.training.toy import PROGRAM
from vidalign.training.checkpoint import STATE
from vidalign.training.config import Configuration
from vidalign.training.train import train

ROOT = Path(__file__).parent.parent.parent
Toy = Callable[..., Configuration]

SLOW = ("training.steps=40", "training.log_every=4", "training.threads=1", "data.nap=0.005")
BEST = (
    "training.workers=1", "training.validate_every=3", "training.keep=best", "training.metric=score",
    "metrics=[3, 2, 1, 0, 5, 4, 6, 7, 8]",
)  # fmt: skip


def begin(file: Path, folder: Path, *changes: str) -> subprocess.Popen[bytes]:
    settings = [part for change in changes for part in ("--set", change)]
    return subprocess.Popen(
        [*PROGRAM, "train", str(file), "-o", str(folder), *settings],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 300
    while not ready():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.002)


def is_newer(path: Path, than: int) -> bool:
    return path.exists() and path.stat().st_mtime_ns > than


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=300)
    return process.returncode, out.decode(), err.decode()


def numbers(folder: Path) -> list[dict[str, object]]:
    """The journal without what a clock says."""
    timed = ("items_per_second", "waiting")
    return [{key: value for key, value in r.items() if key not in timed} for r in records(folder)]


def weights(folder: Path) -> bytes:
    return (folder / "model" / "toy.safetensors").read_bytes()


def test_killed_twice_and_resumed(toy_file: Path, toy_config: Toy, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(toy_config(*SLOW, *BEST), whole)
    state, seen = cut / STATE, 0
    for _ in range(2):
        process = begin(toy_file, cut, *SLOW, *BEST)
        wait_for(partial(is_newer, state, seen), process)
        seen = state.stat().st_mtime_ns
        time.sleep(0.03)
        process.send_signal(signal.SIGKILL)
        assert finish(process)[0] == -signal.SIGKILL
        assert not (cut / "model").exists()
    code, out, err = finish(begin(toy_file, cut, *SLOW, *BEST))
    assert (code, out) == (0, f"{cut / 'model'}\n")
    assert "going on after step " in err
    assert weights(cut) == weights(whole)
    assert numbers(cut) == numbers(whole)


@pytest.mark.parametrize(
    ("number", "code", "send"),
    [
        (signal.SIGINT, 130, os.killpg),
        (signal.SIGTERM, 143, os.killpg),
        (signal.SIGTERM, 143, os.kill),
    ],
    ids=["ctrl-c", "batch system", "kill"],
)
def test_a_signal_saves_between_two_steps(
    number: int, code: int, send: Callable[[int, int], None], toy_file: Path, toy_config: Toy, tmp_path: Path
) -> None:
    never = (*SLOW, "training.checkpoint_every=0", "training.workers=1")
    run, whole = tmp_path / "run", tmp_path / "whole"
    journal = run / "metrics.jsonl"
    process = begin(toy_file, run, *never)
    wait_for(lambda: journal.exists() and journal.stat().st_size > 0, process)
    send(process.pid, number)
    got, out, err = finish(process)
    assert (got, out) == (code, "")
    assert "Traceback" not in err
    assert (run / STATE).is_file()
    assert train(toy_config(*never), run).progress.step == 40
    train(toy_config(*never), whole)
    assert weights(run) == weights(whole)
    assert numbers(run) == numbers(whole)

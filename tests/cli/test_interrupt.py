"""Interrupted or terminated, a run drops what it is at: no process, no half-written file is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tiny import draw_video

RUN = "from vidalign.cli.main import run; run()"
SLOW_TO_LEAVE = """
import contextlib, time
from vidalign.cli import main

def work(arguments):
    try:
        print("working", flush=True)
        time.sleep(60)
    finally:
        with contextlib.suppress(BaseException):
            print("undoing", flush=True)
            time.sleep(60)
        print("undone", flush=True)

main.main = work
main.run()
"""
OTHER_EXIT = """
import sys, time
from vidalign.cli import main

def work(arguments):
    try:
        print("working", flush=True)
        time.sleep(60)
    except SystemExit:
        sys.exit(1)

main.main = work
main.run()
"""

linux = pytest.mark.xfail(sys.platform != "linux", reason="asks /proc", run=False)


def children(pid: int) -> list[int]:
    """Processes whose parent it is."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`extract` of three videos that take their time, once the first is written."""
    for number, seconds in enumerate((2, 600, 600)):
        draw_video(tmp_path / "in" / f"{number}.mp4", seconds, seed=number, size=(64, 64))
    line = ["extract", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip().endswith("0.h5")
    yield process
    process.kill()
    process.communicate()


@linux
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_leaves_nothing(
    number: signal.Signals, code: int, running: subprocess.Popen[str], tmp_path: Path
) -> None:
    readers = children(running.pid)
    assert len(readers) == 2
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    assert running.returncode == code
    assert "Traceback" not in said
    assert not any(Path(f"/proc/{pid}").exists() for pid in readers)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.h5", "run.json"]


@linux
def test_killed_outright_its_readers_die_too(running: subprocess.Popen[str]) -> None:
    readers = children(running.pid)
    running.kill()
    running.wait()
    for _ in range(100):
        if not any(Path(f"/proc/{pid}").exists() for pid in readers):
            return
        time.sleep(0.1)
    raise AssertionError(f"still there: {readers} of {os.getpid()}")


@linux
def test_twice_is_at_once(running: subprocess.Popen[str]) -> None:
    running.send_signal(signal.SIGINT)
    running.send_signal(signal.SIGTERM)
    assert running.wait(60) in (130, 143)


@linux
def test_an_exit_of_a_library_s_own_is_that_of_the_signal() -> None:
    process = subprocess.Popen([sys.executable, "-c", OTHER_EXIT], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        assert process.stdout.readline().strip() == "working"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143


@linux
def test_the_second_signal_does_not_wait_for_what_the_first_undoes() -> None:
    process = subprocess.Popen([sys.executable, "-c", SLOW_TO_LEAVE], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        for told, number in (("working", signal.SIGINT), ("undoing", signal.SIGTERM)):
            assert process.stdout.readline().strip() == told
            process.send_signal(number)
        assert process.stdout.read() == ""
        assert process.wait(60) == 143

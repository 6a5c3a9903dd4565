"""What goes to stdout, what to stderr, and how progress looks with and without a terminal."""

from __future__ import annotations

import json
import logging
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from vidalign.cli.output import Talk, emit, emit_json, show_logs
from vidalign.cli.progress import amount, duration
from vidalign.errors import ModelError


class Clock:
    """A clock that the test winds."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_data_goes_to_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    emit(Path("a b.h5"))
    emit({"path": Path("a.h5"), "text": "é☃"})
    out, err = capfd.readouterr()
    assert out == 'a b.h5\n{"path": "a.h5", "text": "é☃"}\n'
    assert not err


def test_names_that_are_no_utf8(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    emit(Path(os.fsdecode(b"caf\xe9.h5")))
    emit_json({"path": os.fsdecode(b"caf\xe9.h5")})
    raw, as_json = capfdbinary.readouterr().out.splitlines()
    assert raw == b"caf\xe9.h5"
    assert json.loads(as_json)["path"] == "caf\udce9.h5"


def test_nan_is_no_data() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        emit_json({"x": float("nan")})


@pytest.mark.parametrize(
    ("level", "said"),
    [
        (-1, ["vidalign: error: bad; do this"]),
        (0, ["say", "vidalign: warning: warn", "vidalign: error: bad; do this"]),
        (1, ["say", "verbose", "vidalign: warning: warn", "vidalign: error: bad; do this"]),
        (2, ["say", "verbose", "debug", "vidalign: warning: warn", "vidalign: error: bad; do this"]),
    ],
)
def test_levels(level: int, said: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    talk = Talk(level)
    talk.say("say")
    talk.verbose("verbose")
    talk.debug("debug")
    talk.warn("warn")
    talk.error(ModelError("bad", hint="do this"))
    out, err = capsys.readouterr()
    assert err.splitlines() == said
    assert not out


def test_names_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Talk().say("a\x1b[2J\x9b.mp4")
    Talk().warn("two\nlines")
    assert capsys.readouterr().err == "a\\x1b[2J\\x9b.mp4\nvidalign: warning: two lines\n"


def test_the_log_is_shown_once_at_its_level(
    capsys: pytest.CaptureFixture[str], logged_errors: list[logging.LogRecord]
) -> None:
    log = logging.getLogger("vidalign.video")
    show_logs(Talk(2))
    show_logs(Talk(1))
    log.debug("hidden")
    log.info("file %s", "a.mp4")
    log.warning("odd")
    log.error("bad")
    logged_errors.clear()
    assert capsys.readouterr().err == "file a.mp4\nvidalign: warning: odd\nvidalign: error: bad\n"


def test_without_a_terminal_a_plain_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Talk(clock=clock).progress("extract", total=10, unit="videos") as meter:
        for _ in range(4):
            clock.now += 20
            meter.advance()
    assert capsys.readouterr().err.splitlines() == [
        "extract: 2 of 10 videos, 0:40 so far, about 2:40 left",
        "extract: 4 of 10 videos, 1:20 so far, about 2:00 left",
    ]


def test_progress_towards_an_unknown_end(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Talk(clock=clock).progress("fetch", unit="B") as meter:
        clock.now += 31
        meter.update(2.5e6, note="first source")
        clock.now += 31
        meter.update(5e6, total=1e7)
    assert capsys.readouterr().err.splitlines() == [
        "fetch: 2.5 MB, 0:31 so far, first source",
        "fetch: 5.0 of 10.0 MB, 1:02 so far, about 1:02 left",
    ]


def test_quiet_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with Talk(-1, clock=clock).progress("extract", total=2) as meter:
        clock.now += 1000
        meter.advance()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("done", "total", "unit", "said"),
    [
        (3, 10, "videos", "3 of 10 videos"),
        (3, None, "videos", "3 videos"),
        (80, 300, "s", "1:20 of 5:00"),
        (80, None, "s", "1:20"),
        (1.5e6, 2e7, "B", "1.5 of 20.0 MB"),
        (0, 3, "", "0 of 3"),
    ],
)
def test_amounts(done: float, total: float | None, unit: str, said: str) -> None:
    assert amount(done, total, unit) == said


def test_durations() -> None:
    assert [duration(s) for s in (-1, 0, 59.6, 3599, 3600, 90061)] == [
        "0:00",
        "0:00",
        "1:00",
        "59:59",
        "1:00:00",
        "25:01:01",
    ]


WORK = """
import time
from vidalign.cli.output import Talk, emit
talk = Talk()
with talk.progress("outer", total=2, unit="videos") as meter:
    for name in ("a.h5", "b.h5"):
        with talk.progress(name + " [x]", unit="s") as inner:
            inner.update(5, 10)
            time.sleep(0.15)
        emit(name)
        talk.say("said " + name)
        meter.advance(note="note")
"""


def on_terminal(environment: dict[str, str]) -> tuple[str, str]:
    """stdout (a pipe) and stderr (a terminal) of WORK."""
    ours, theirs = pty.openpty()
    settings = {**os.environ, "TERM": "xterm", "COLUMNS": "100", **environment}
    done = subprocess.run([sys.executable, "-c", WORK], stdout=subprocess.PIPE, stderr=theirs, env=settings)
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 10000)
        except OSError:  # Linux reports the end of a terminal so
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert done.returncode == 0
    return done.stdout.decode(), said.decode()


def test_on_a_terminal_bars_stay_off_stdout_and_lines_stay_whole() -> None:
    out, err = on_terminal({})
    assert out == "a.h5\nb.h5\n"
    assert "outer" in err
    assert "a.h5 [x]" in err
    assert "0:05 of 0:10" in err
    assert "said a.h5\r\n" in err
    assert err.rstrip().endswith("\x1b[?25h") or "\x1b[?25h" in err.rsplit("said b.h5", 1)[-1]


def test_a_dumb_terminal_gets_no_bars() -> None:
    out, err = on_terminal({"TERM": "dumb"})
    assert out == "a.h5\nb.h5\n"
    assert err == "said a.h5\r\nsaid b.h5\r\n"

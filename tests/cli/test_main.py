"""How the program ends: exit codes, one-line errors, signals, broken pipes, colours."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import click
import pytest

from vidalign.cli import main as cli_main
from vidalign.cli.main import COMMANDS, main
from vidalign.errors import LowConfidenceError, ModelError, VideoError

FAKE = """
import sys, time, types
from pathlib import Path
import click
from vidalign.cli import main, output
from vidalign.store.atomic import atomic_path

@click.command()
@click.argument("folder", type=Path)
def write(folder):
    with atomic_path(folder / "a.txt") as temporary:
        temporary.write_text("half")
        print("ready", flush=True)
        time.sleep(30)

@click.command()
@click.argument("folder", type=Path)
def stubborn(folder):
    try:
        print("ready", flush=True)
        time.sleep(30)
    finally:
        print("cleaning", flush=True)
        time.sleep(30)

@click.command()
def pour():
    while True:
        output.emit_json({"line": "x" * 100})

@click.command()
def chat():
    talk = output.Talk()
    while True:
        talk.say("x" * 100)

@click.command()
def full():
    for _ in range(10000):
        output.emit_path("x" * 100)

@click.command()
def crash():
    raise ZeroDivisionError("by nought")

fake = types.ModuleType("fake")
vars(fake).update(globals())
sys.modules["fake"] = fake
for name in ("write", "stubborn", "pour", "chat", "full", "crash"):
    main.COMMANDS[name] = (f"fake:{name}", "")
main.run()
"""


def command(*args: str | Path) -> list[str]:
    return [sys.executable, "-c", FAKE, *map(str, args)]


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], int]:
    """Exit code of a command that does what it is given."""

    def end(body: Callable[[], object]) -> int:
        module = ModuleType("fake_command")
        vars(module)["fake"] = click.command("fake")(body)
        monkeypatch.setitem(sys.modules, "fake_command", module)
        monkeypatch.setitem(COMMANDS, "fake", ("fake_command:fake", "Does as it is told."))
        return main(["fake"])

    return end


def raising(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


def test_help_alone_and_with_the_flag_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["--help"]) == main(["-h"]) == 0
    out, err = capsys.readouterr()
    one, two, three = (part for part in out.split("Usage: ") if part)
    assert one == two == three
    assert not err
    for name, (_, short) in COMMANDS.items():
        assert f"{name} " in one
        assert short in one


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_exists_and_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: vidalign {name}")


@pytest.mark.parametrize("name", ["models", "eval"])
def test_a_group_alone_shows_its_commands(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"Usage: vidalign {name}")
    assert "Commands:\n" in told


def test_version(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDALIGN_VERSION", "1")
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "vidalign 0.1.0\n"
    assert main(["version"]) == 0
    assert capsys.readouterr().out == "vidalign 0.1.0\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["extrct"], "no such command 'extrct'; did you mean 'extract'?; try 'vidalign --help'"),
        (["zzz"], "no such command 'zzz'; try 'vidalign --help'"),
        (["version", "x"], "got unexpected extra argument (x); try 'vidalign version --help'"),
        (["--nonsense"], "no such option '--nonsense'; try 'vidalign --help'"),
    ],
)
def test_wrong_usage_is_one_line_and_2(
    args: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(args) == 2
    out, err = capsys.readouterr()
    assert err == f"vidalign: error: {said}\n"
    assert not out


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (VideoError("a.mp4 is empty"), 1, "a.mp4 is empty"),
        (
            ModelError("no model x.", hint="run `vidalign models list`"),
            2,
            "no model x; run `vidalign models list`",
        ),
        (LowConfidenceError("too low"), 3, "too low"),
        (VideoError("two\nlines \x1b[31m"), 1, r"two lines \x1b[31m"),
        (click.ClickException("Plain"), 1, "plain"),
    ],
)
def test_errors_end_in_one_line_and_their_code(
    ending: Callable[[Callable[[], object]], int],
    error: BaseException,
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ending(raising(error)) == code
    assert capsys.readouterr().err == f"vidalign: error: {said}\n"


@pytest.mark.parametrize("error", [click.Abort(), KeyboardInterrupt()])
def test_an_interruption_is_no_error(
    ending: Callable[[Callable[[], object]], int], error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(raising(error)) == 130
    assert capsys.readouterr().err == "vidalign: interrupted\n"


def test_codes_of_commands_pass(ending: Callable[[Callable[[], object]], int]) -> None:
    assert ending(lambda: 1) == 1
    assert ending(lambda: None) == 0
    assert ending(lambda: click.get_current_context().exit(3)) == 3
    with pytest.raises(SystemExit, match="1"):
        ending(raising(SystemExit(1)))


def test_the_traceback_of_a_user_error_only_for_those_who_ask(
    ending: Callable[[Callable[[], object]], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("VIDALIGN_DEBUG", "1")
    ending(raising(VideoError("a.mp4 is empty")))
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("vidalign: error: a.mp4 is empty\n")


def test_a_fault_of_the_program_is_one_line_unless_debugging() -> None:
    done = subprocess.run(command("crash"), capture_output=True, text=True)
    assert done.returncode == 1
    said = "unexpected ZeroDivisionError: by nought; set VIDALIGN_DEBUG=1 for the traceback"
    assert done.stderr == f"vidalign: error: {said}\n"
    debugging = {**os.environ, "VIDALIGN_DEBUG": "1"}
    done = subprocess.run(command("crash"), capture_output=True, text=True, env=debugging)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("ZeroDivisionError: by nought\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_removes_temporary_files(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with subprocess.Popen(
        command("write", tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"ready\n"
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(number)
        assert process.wait(10) == code
        assert not list(tmp_path.iterdir())
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_second_signal_leaves_at_once(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with subprocess.Popen(command("stubborn", tmp_path), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for expected in (b"ready\n", b"cleaning\n"):
            assert process.stdout.readline() == expected
            process.send_signal(number)
        assert process.wait(10) == code


def test_a_program_started_in_the_background_keeps_ignoring_ctrl_c(tmp_path: Path) -> None:
    ignoring = subprocess.Popen(
        command("write", tmp_path),
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    with ignoring as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        assert process.poll() is None
        process.terminate()
        assert process.wait(10) == 143


@pytest.mark.parametrize("name", ["pour", "chat"])
def test_a_broken_pipe_ends_quietly(name: str) -> None:
    reading, writing = os.pipe()
    stream = {"pour": "stdout", "chat": "stderr"}[name]
    other = {"pour": "stderr", "chat": "stdout"}[name]
    with subprocess.Popen(command(name), **{stream: writing, other: subprocess.PIPE}) as process:  # type: ignore[call-overload]
        os.close(writing)
        os.read(reading, 100)
        os.close(reading)
        assert process.wait(10) == 141
        assert getattr(process, other).read() == b""


def test_help_into_a_closed_pipe_is_quiet() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command("--help"), stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_behind_stdout_is_told() -> None:
    with Path("/dev/full").open("wb") as device:
        done = subprocess.run(command("full"), stdout=device, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "vidalign: error: cannot write to standard output: No space left on device\n"


def test_a_closed_stdout_is_no_fault() -> None:
    done = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *command("--version")], stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_only_on_terminals_that_want_them(environment: dict[str, str], coloured: bool) -> None:
    ours, theirs = pty.openpty()
    plain = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    subprocess.run(command("extrct"), stderr=theirs, env={**plain, "TERM": "xterm", **environment})
    os.close(theirs)
    said = os.read(ours, 1000)
    os.close(ours)
    assert (b"\x1b[" in said) is coloured
    assert b"no such command" in said


def test_no_colour_codes_off_a_terminal() -> None:
    done = subprocess.run(command("extrct"), stderr=subprocess.PIPE)
    assert b"\x1b" not in done.stderr


def test_shell_completion_knows_the_commands() -> None:
    asking = {
        **os.environ,
        "_VIDALIGN_COMPLETE": "bash_complete",
        "COMP_WORDS": "vidalign ext",
        "COMP_CWORD": "1",
    }
    done = subprocess.run(command(), capture_output=True, text=True, env=asking)
    assert done.stdout.split() == ["plain,extract", "plain,extract-text"]


def test_the_second_ctrl_c_does_not_reach_other_tests() -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert cli_main.INTERRUPTED == 130

"""A process that may hang, die, lie or eat memory never takes its parent along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidalign.batch.child.parent import Child
from vidalign.errors import ChildDiedError, ReadTimeoutError, SubtitleError, VidalignError, VideoError

TARGET = "tests.batch.child.targets:answer"


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    with Child(TARGET) as started:
        yield started


def ask(child: Child, do: str, **request: Any) -> list[Any]:
    return list(child.ask({"do": do, **request}, stall=30))


def gone(pid: int) -> bool:
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("kind", ["u1", "<f4", "<f8", "<i8", "?"])
@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (3, 2, 4)])
def test_arrays_come_back_as_they_went(child: Child, kind: str, shape: tuple[int, ...]) -> None:
    sent = np.random.default_rng(0).integers(0, 2, shape).astype(kind)
    (came,) = ask(child, "echo", value={"deep": [sent, sent[..., None]]})
    for before, after in zip((sent, sent[..., None]), came["deep"], strict=True):
        assert (after.shape, after.dtype) == (before.shape, before.dtype)
        assert np.array_equal(after, before)


def test_values_come_back_as_they_went(child: Child) -> None:
    value = {"text": "naïve \udcff", "numbers": [1, -2.5, None, True], "nested": {"": []}}
    assert ask(child, "echo", value=value) == [value]


def test_what_is_no_value_cannot_be_sent(child: Child) -> None:
    for value in (b"bytes", np.array([object()]), np.array(["text"])):
        with pytest.raises(TypeError, match="cannot be sent"):
            ask(child, "echo", value=value)


def test_one_process_answers_many_requests(child: Child) -> None:
    pids = {ask(child, "who")[0]["pid"] for _ in range(3)}
    assert pids == {child.pid}
    assert ask(child, "count", to=1000) == list(range(1000))


def test_it_stands_apart(child: Child) -> None:
    [told] = ask(child, "who")
    assert told["session"] == told["pid"]
    assert told["modules"] == []
    assert str(Path.cwd()) not in told["places"] or str(Path.cwd()) in sys.path


def test_modules_lying_in_the_folder_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(tmp_path)
    with Child(TARGET) as child:
        assert ask(child, "echo", value=1) == [1]


@pytest.mark.parametrize(
    ("kind", "wanted", "state"),
    [
        ("video", VideoError, {"message": "nothing to see", "hint": "look elsewhere"}),
        ("subtitles", SubtitleError, {"message": "a.srt:7: bad time", "path": "a.srt", "line": 7}),
        ("gone", VidalignError, {"message": "/nowhere/at/all: No such file or directory", "errno": 2}),
    ],
)
def test_errors_arrive_as_they_were_raised(
    child: Child, kind: str, wanted: type[VidalignError], state: dict[str, Any]
) -> None:
    before = child.pid
    answer = child.ask({"do": "refuse", "kind": kind})
    assert next(answer) == 1
    with pytest.raises(VidalignError) as raised:
        next(answer)
    assert type(raised.value) is wanted
    assert state.items() <= vars(raised.value).items()
    assert ask(child, "who")[0]["pid"] == before


def test_what_was_not_foreseen_ends_the_child_only(child: Child) -> None:
    before = child.pid
    with pytest.raises(ChildDiedError, match="failed: KeyError: 'unforeseen'"):
        ask(child, "refuse", kind="other")
    assert ask(child, "who")[0]["pid"] != before


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("SIGSEGV", r"was killed by SIGSEGV \(Segmentation fault\)"),
        ("SIGKILL", r"was killed by SIGKILL \(Killed\)"),
        ("exit", "ended with exit code 3"),
    ],
)
def test_death_is_one_line_and_the_next_request_is_served(child: Child, how: str, said: str) -> None:
    with pytest.raises(ChildDiedError, match=said) as died:
        ask(child, "die", how=how)
    assert "\n" not in str(died.value)
    assert ask(child, "echo", value="again") == ["again"]


def test_one_that_died_between_requests_is_started_again(child: Child) -> None:
    ask(child, "echo", value=1)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    time.sleep(0.1)
    assert ask(child, "echo", value=2) == [2]


def test_silence_is_ended(child: Child) -> None:
    ask(child, "echo", value=1)
    pid = child.pid
    began = time.monotonic()
    with pytest.raises(ReadTimeoutError, match=r"hung for 0\.3 s"):
        list(child.ask({"do": "sleep", "naps": 1, "seconds": 60}, stall=0.3))
    assert time.monotonic() - began < 10
    assert pid is not None
    assert gone(pid)


def test_signs_of_life_are_no_silence(child: Child) -> None:
    request = {"do": "sleep", "naps": 5, "seconds": 0.6, "beat": True}
    assert list(child.ask(request, stall=2.0)) == []
    with pytest.raises(ReadTimeoutError, match=r"more than 0\.7 s"):
        list(child.ask(request, stall=2.0, limit=0.7))


def test_only_waiting_counts_for_the_limit(child: Child) -> None:
    ask(child, "echo", value=1)
    answer = child.ask({"do": "count", "to": 5}, limit=0.6)
    for _ in answer:
        time.sleep(0.2)


def test_what_is_left_unfinished_is_killed(child: Child) -> None:
    answer = child.ask({"do": "count", "to": 10**9})
    next(answer)
    pid = child.pid
    answer.close()
    assert pid is not None
    assert gone(pid)
    assert ask(child, "count", to=2) == [0, 1]


def test_too_much_memory_is_refused() -> None:
    with Child(TARGET, memory=256 * 2**20) as child:
        assert ask(child, "take", bytes=2**26) == [1]
        with pytest.raises(ChildDiedError, match="takes more than 256 MiB of memory"):
            ask(child, "take", bytes=2**29)
        assert ask(child, "take", bytes=2**26) == [1]


HEADER_OF_TERABYTES = "\x02" + "\x00\x00\x00\x00\x00\x01\x00\x00" * 2
NO_JSON = "\x02\x03" + "\x00" * 15 + "]]]"
NO_KIND = "\xee" + "\x00" * 16
NO_ARRAY = '{"__array__": [0, "O", [4]]}'
FAR_ARRAY = '{"__array__": [99, "u1", [4]]}'


def framed(text: str, kind: int = 2) -> str:
    return chr(kind) + chr(len(text)) + "\x00" * 7 + "\x10" + "\x00" * 7 + text + "x" * 16


@pytest.mark.parametrize(
    "words",
    [
        HEADER_OF_TERABYTES,
        NO_JSON,
        NO_KIND,
        framed(NO_ARRAY),
        framed(FAR_ARRAY),
        framed('{"kind": 3}', kind=5),
        framed('{"kind": "UsageError", "state": {"message": 1}}', kind=5),
        framed("[1]", kind=7),
        framed("[1]", kind=6),
    ],
)
def test_a_child_that_was_taken_over_is_not_believed(child: Child, words: str) -> None:
    with pytest.raises(ChildDiedError, match="went mad"):
        ask(child, "babble", words=words)


def test_what_it_logs_is_logged_here(child: Child, caplog: pytest.LogCaptureFixture) -> None:
    ask(child, "warn")
    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records] == [
        ("vidalign.video", "WARNING", "it is odd")
    ]


def test_another_thread_may_end_it_for_good() -> None:
    with Child(TARGET) as child:
        ask(child, "echo", value=1)
        threading.Timer(0.3, child.interrupt).start()
        with pytest.raises(ChildDiedError, match="SIGKILL"):
            ask(child, "sleep", naps=1, seconds=600)
        with pytest.raises(ChildDiedError, match="was stopped"):
            ask(child, "echo", value=1)


PARENT = """
import sys, time
from vidalign.batch.child.parent import Child
child = Child("tests.batch.child.targets:answer")
answer = child.ask({"do": "sleep", "naps": 2, "seconds": 0.01})
next(answer)
print(child.pid, flush=True)
list(child.ask({"do": "sleep", "naps": 1, "seconds": 600}))
"""


def test_it_does_not_outlive_its_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    time.sleep(0.2)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(pid)


def test_a_target_that_is_not_there() -> None:
    with Child("tests.batch.child.targets:nothing") as child, pytest.raises(ChildDiedError, match="nothing"):
        ask(child, "echo", value=1)

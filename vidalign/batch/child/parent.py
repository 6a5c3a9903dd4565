"""`Child`: asks a process beside this one, and survives whatever happens to it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Generator
from time import monotonic
from typing import Any, Self

from vidalign.batch.child.wire import Kind, Message, NonsenseError, error_of, receive, send
from vidalign.errors import ChildDiedError, ReadTimeoutError, debugging

log = logging.getLogger("vidalign")

START_SECONDS = 120.0
"""How long a child may take to come up."""
END_SECONDS = 2.0
"""How long one that has hung up may take to end."""


class Child:
    """A process that answers requests with the generator function `target`, "module:function".

    The function is given the request and a function to call now and then in long silence, and yields
    messages. Requests and messages are JSON values with numpy arrays anywhere in them (tuples come out as
    lists). The process may take `memory` bytes on top of its libraries,
    has a session of its own, imports nothing that the target does not, and dies with its parent: on Linux
    with the thread that started it, elsewhere as soon as it notices. A dead one is started again by the next
    request. For one thread at a time.
    """

    def __init__(self, target: str, *, memory: int | None = None) -> None:
        self._target, self._memory = target, memory
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._ready = self._interrupted = False
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *caught: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The process, None where none runs."""
        return None if self._process is None else self._process.pid

    def ask(
        self, request: Any, *, stall: float | None = None, limit: float | None = None
    ) -> Generator[Any, None, None]:
        """The answer's messages as they come; a child whose answer is left unfinished is killed.

        Raises the VidalignError that was raised in the child; ReadTimeoutError where nothing is heard for
        `stall` seconds, or where all waiting together takes more than `limit` (what the caller does between
        messages does not count), ChildDiedError where the child dies; it is killed first.
        """
        done = False
        clock = _Clock(stall, limit)
        try:
            self._get_ready()
            with contextlib.suppress(ConnectionError):
                send(self._connected, Kind.REQUEST, request)
            while (message := self._heard(clock)).kind is not Kind.END:
                if message.kind is Kind.ERROR:
                    done = True
                    raise error_of(message.value)
                yield message.value
            done = True
        except NonsenseError:
            done = False
            raise ChildDiedError("the process that reads it went mad, and was killed") from None
        finally:
            if not done:
                self.close()

    def close(self) -> None:
        """End it at once: nothing that it holds is worth a wait."""
        if self._process is not None:
            self._process.kill()
        self._bury()

    def interrupt(self) -> None:
        """From any thread: end it at once, and for good; whoever waits for an answer gets ChildDiedError."""
        self._interrupted = True
        process = self._process
        if process is not None:
            process.kill()

    @property
    def _connected(self) -> socket.socket:
        assert self._line is not None
        return self._line

    def _start(self) -> None:
        self._line, far = socket.socketpair()
        settings = {
            "target": self._target,
            "line": far.fileno(),
            "parent": os.getpid(),
            "memory": self._memory,
            "level": log.getEffectiveLevel(),
        }
        with far:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "vidalign.batch.child", json.dumps(settings)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if debugging() else subprocess.DEVNULL,
                pass_fds=[far.fileno()],
                start_new_session=True,
                env=_surroundings(),
            )
        self._ready = False

    def _get_ready(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            self._bury()
        if self._process is None:
            self._start()
        if self._interrupted:
            raise ChildDiedError("the process that reads it was stopped")
        if not self._ready:
            message = self._heard(_Clock(START_SECONDS, None))
            if message.kind is not Kind.READY:
                raise NonsenseError
            self._ready = True

    def _heard(self, clock: _Clock) -> Message:
        """The next message that is for the caller."""
        while True:
            clock.begin()
            message = receive(lambda buffer: self._fill(buffer, clock))
            clock.end()
            if message is None:
                raise ChildDiedError(f"the process that reads it {self._last_words()}")
            if message.kind is Kind.FAULT:
                raise self._fault(message.value)
            if message.kind is Kind.LOG:
                _log_again(message.value)
            elif message.kind is not Kind.BEAT:
                return message

    def _fill(self, buffer: memoryview, clock: _Clock) -> bool:
        """Fill `buffer`, with one wait for all of it where that is possible; False: the child is gone."""
        filled = 0
        while filled < len(buffer):
            self._connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, clock.timeval())
            try:
                count = self._connected.recv_into(buffer[filled:], len(buffer) - filled, socket.MSG_WAITALL)
            except BlockingIOError:
                clock.check()
                continue
            except ConnectionError:
                return False
            if not count:
                return False
            filled += count
            clock.check(heard=True)
        return True

    def _fault(self, told: Any) -> ChildDiedError:
        """What was not foreseen in the child."""
        match told:
            case {"memory": True}:
                amount = "more memory than there is"
                if self._memory is not None:
                    amount = f"more than {self._memory / 2**20:,.0f} MiB of memory"
                return ChildDiedError(f"reading it takes {amount}")
            case {"text": str(text)}:
                hint = "VIDALIGN_DEBUG=1 shows where it happened"
                return ChildDiedError(f"the process that reads it failed: {text}", hint=hint)
        raise NonsenseError

    def _last_words(self) -> str:
        """How it ended, as the rest of a sentence."""
        assert self._process is not None
        try:
            code = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            return "hung up"
        if code >= 0:
            return f"ended with exit code {code}"
        number = -code
        name = signal.Signals(number).name if number in signal.valid_signals() else f"signal {number}"
        return f"was killed by {name} ({signal.strsignal(number) or 'unknown'})"

    def _bury(self) -> None:
        if self._process is not None:
            self._process.wait()
        if self._line is not None:
            self._line.close()
        self._process = self._line = None


class _Clock:
    """Measures the waiting for a child."""

    def __init__(self, stall: float | None, limit: float | None) -> None:
        self._stall, self._limit = stall, limit
        self._spent = 0.0
        self._heard = self._began = monotonic()

    def begin(self) -> None:
        """The caller waits from now on."""
        self._began = self._heard = monotonic()

    def end(self) -> None:
        """The caller does not wait any longer."""
        self._spent += monotonic() - self._began

    def timeval(self) -> bytes:
        """How long a wait may last, as the system call takes it; zeros: for ever."""
        left = self._left()
        if left is None:
            return struct.pack("@ll", 0, 0)
        microseconds = max(1000, int(left * 1e6))
        return struct.pack("@ll", *divmod(microseconds, 1_000_000))

    def check(self, *, heard: bool = False) -> None:
        """Raise ReadTimeoutError where it took too long; `heard`: something came."""
        now = monotonic()
        if heard:
            self._heard = now
        if self._limit is not None and self._spent + now - self._began >= self._limit:
            raise ReadTimeoutError(f"reading it took more than {self._limit:g} s")
        if self._stall is not None and now - self._heard >= self._stall:
            raise ReadTimeoutError(f"the process that reads it has hung for {self._stall:g} s")

    def _left(self) -> float | None:
        now = monotonic()
        left = []
        if self._limit is not None:
            left.append(self._limit - self._spent - (now - self._began))
        if self._stall is not None:
            left.append(self._stall - (now - self._heard))
        return min(left) if left else None


def _surroundings() -> dict[str, str]:
    """The child finds modules where this process does, and computes with one thread."""
    places = os.pathsep.join(place for place in sys.path if place)
    return {**os.environ, "PYTHONPATH": places, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def _log_again(told: Any) -> None:
    match told:
        case [str(name), int(level), str(text)]:
            known = name if name.partition(".")[0] == "vidalign" else "vidalign"
            logging.getLogger(known).log(level, "%s", text)
        case _:
            raise NonsenseError

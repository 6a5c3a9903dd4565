"""The child: `python -m vidalign.batch.child SETTINGS` answers requests until it is alone."""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any

from vidalign.batch.child.wire import Kind, error_told, exactly, receive, send
from vidalign.errors import VidalignError

Target = Callable[[Any, Callable[[], None]], Iterator[Any]]
"""Answers a request with messages; calls its second argument now and then while it has none to give."""

PR_SET_PDEATHSIG = 1
BEAT_EVERY = 1.0
"""Seconds between two signs of life."""


def main(settings: dict[str, Any]) -> None:
    """Serve until the parent is gone."""
    _die_with(settings["parent"])
    line = socket.socket(fileno=settings["line"])
    sys.excepthook = partial(_tell_fault, line)
    logging.getLogger("vidalign").setLevel(settings["level"])
    logging.getLogger("vidalign").addHandler(_Lines(line))
    target = _target(settings["target"])
    if settings["memory"] is not None:
        limit_memory(settings["memory"])
    try:
        send(line, Kind.READY)
        while (request := receive(partial(exactly, line))) is not None:
            _answer(line, target, request.value)
    except ConnectionError:
        return


def limit_memory(most: int) -> None:
    """Let this process take `most` bytes more than it holds; what wants more is refused."""
    import resource

    no_core = (0, resource.getrlimit(resource.RLIMIT_CORE)[1])
    resource.setrlimit(resource.RLIMIT_CORE, no_core)
    ceiling = resource.getrlimit(resource.RLIMIT_DATA)[1]
    wanted = _data_bytes() + most
    if ceiling != resource.RLIM_INFINITY:
        wanted = min(wanted, ceiling)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, ceiling))


def _data_bytes() -> int:
    """Bytes that count for the limit already; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _answer(line: socket.socket, target: Target, request: Any) -> None:
    try:
        for message in target(request, _Beat(line)):
            send(line, Kind.ANSWER, message)
    except VidalignError as error:
        send(line, Kind.ERROR, error_told(error))
    except ConnectionError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror or error}"
        send(line, Kind.ERROR, error_told(VidalignError(text, errno=error.errno)))
    else:
        send(line, Kind.END)


class _Beat:
    """Says that the target is alive, but not all too often."""

    def __init__(self, line: socket.socket) -> None:
        self._line, self._last = line, monotonic()

    def __call__(self) -> None:
        if monotonic() - self._last > BEAT_EVERY:
            self._last = monotonic()
            send(self._line, Kind.BEAT)


class _Lines(logging.Handler):
    """Log records go to the parent."""

    def __init__(self, line: socket.socket) -> None:
        super().__init__()
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        """Send one."""
        send(self._line, Kind.LOG, [record.name, record.levelno, record.getMessage()])


def _target(name: str) -> Target:
    module, _, function = name.partition(":")
    target: Target = getattr(import_module(module), function)
    return target


def _die_with(parent: int) -> None:
    """On Linux the kernel kills this process when its parent dies, whatever it is doing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _tell_fault(
    line: socket.socket, kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """The last words: what went wrong that was not foreseen."""
    reason = " ".join(str(error).split())
    text = f"{kind.__name__}: {reason}" if reason else kind.__name__
    send(line, Kind.FAULT, {"memory": issubclass(kind, MemoryError), "text": text})
    sys.__excepthook__(kind, error, trace)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

"""What the children of the tests do."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vidalign.errors import SubtitleError, VideoError


def answer(request: dict[str, Any], beat: Callable[[], None]) -> Iterator[Any]:
    """Does what the request's `do` says."""
    yield from globals()[request["do"]](request, beat)


def echo(request: Any, beat: Callable[[], None]) -> Iterator[Any]:
    yield request["value"]


def count(request: Any, beat: Callable[[], None]) -> Iterator[Any]:
    yield from range(request["to"])


def who(request: Any, beat: Callable[[], None]) -> Iterator[Any]:
    yield {
        "pid": os.getpid(),
        "session": os.getsid(0),
        "modules": [name for name in ("torch", "h5py", "av", "click") if name in sys.modules],
        "places": sys.path,
    }


def refuse(request: Any, beat: Callable[[], None]) -> Iterator[Any]:
    yield 1
    if request["kind"] == "video":
        raise VideoError("nothing to see", hint="look elsewhere")
    if request["kind"] == "subtitles":
        raise SubtitleError("bad time", path="a.srt", line=7)
    if request["kind"] == "gone":
        Path("/nowhere/at/all").read_bytes()
    raise KeyError("unforeseen")


def sleep(request: Any, beat: Callable[[], None]) -> Iterator[Any]:
    for _ in range(request["naps"]):
        time.sleep(request["seconds"])
        if request.get("beat"):
            beat()
        else:
            yield 1


def die(request: Any, beat: Callable[[], None]) -> Iterator[Any]:
    yield 1
    if request["how"] == "exit":
        os._exit(3)
    os.kill(os.getpid(), getattr(signal, request["how"]))
    time.sleep(60)


def take(request: Any, beat: Callable[[], None]) -> Iterator[Any]:
    yield int(np.ones(request["bytes"], np.uint8)[-1])


def babble(request: Any, beat: Callable[[], None]) -> Iterator[Any]:
    held: Any = beat
    held._line.sendall(request["words"].encode("latin-1"))
    yield 1


def warn(request: Any, beat: Callable[[], None]) -> Iterator[Any]:
    logging.getLogger("vidalign.video").warning("it is %s", "odd")
    logging.getLogger("vidalign.video").info("nobody wants to know")
    yield 1

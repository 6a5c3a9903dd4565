"""A reading process that hangs, dies or is slow, by the name of the video."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vidalign.batch import reading
from vidalign.batch.child import video

__all__ = ["read", "video"]


def read(request: dict[str, Any], beat: Callable[[], None]) -> Iterator[Any]:
    """As `reading.read`, but for some."""
    name = Path(request["video"]).stem
    messages = reading.read(request, beat)
    yield next(messages)
    if name.startswith("hang"):
        time.sleep(600)
    if name.startswith("die"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if name.startswith("fault"):
        raise ZeroDivisionError("unforeseen")
    for message in messages:
        if name.startswith("slow"):
            time.sleep(3)
        yield message

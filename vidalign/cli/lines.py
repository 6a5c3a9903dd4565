"""One-line messages and the manners of a terminal; light, for errors that come before any work."""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

import click

BROKEN_PIPE = 141
"""Exit code when nobody reads the output any more, as a shell reports SIGPIPE."""

LONGEST = 2000
"""Characters of a line, which may quote what a file of a stranger holds."""

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def error_line(message: str, hint: str = "") -> str:
    """`vidalign: error: MESSAGE; HINT`, styled, on one line."""
    text = one_line(f"{message.rstrip('. ')}; {hint}" if hint else message)
    return f"vidalign: {click.style('error:', fg='red', bold=True)} {text}"


def warning_line(message: str) -> str:
    """`vidalign: warning: MESSAGE`, styled, on one line."""
    return f"vidalign: {click.style('warning:', fg='yellow', bold=True)} {one_line(message)}"


def one_line(text: str) -> str:
    """The text with line breaks as spaces and control characters (they can drive a terminal) as escapes.

    Texts longer than LONGEST lose their middle.
    """
    text = printable(" ".join(text.split("\n")).strip())
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} [...] {text[-half:]}"


def printable(text: str) -> str:
    """The text with control characters other than newline and tab written as escapes."""
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


def color_choice() -> bool | None:
    """False where NO_COLOR or TERM=dumb forbid colours, else None: colours on terminals only."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None


def silence() -> None:
    """Point stdout and stderr at nothing where they are broken, so that leaving makes no noise."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            _point_at_nothing(stream)


def _point_at_nothing(stream: TextIO) -> None:
    try:
        number = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, number)
    os.close(nothing)

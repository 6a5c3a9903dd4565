"""The two channels: stdout carries data (paths, JSON lines), stderr carries talk."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from vidalign.cli.lines import BROKEN_PIPE, color_choice, error_line, printable, silence, warning_line
from vidalign.cli.progress import Meter, PlainLines, bars
from vidalign.errors import VidalignError


def emit(result: Path | str | Mapping[str, Any]) -> None:
    """One line of data on stdout, flushed: a path as its bytes, a mapping as JSON.

    Leaves the program quietly when nobody reads any more.
    """
    if isinstance(result, Mapping):
        emit_json(result)
    else:
        emit_path(result)


def emit_json(value: Any) -> None:
    """One value as one line of JSON; NaN is refused, undecodable bytes of names become escapes."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=os.fspath)
    text = re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)
    _to_stdout(text.encode("utf-8"))


def emit_path(path: Path | str) -> None:
    """One path, byte for byte."""
    _to_stdout(os.fsencode(path))


def emit_text(text: str) -> None:
    """Lines for people who asked for them as the result (`inspect`, `models list`)."""
    _to_stdout(text.encode("utf-8", "backslashreplace"))


def emit_bytes(content: bytes) -> None:
    """A whole file as it is."""
    _to_stdout(content, end=b"")


def _to_stdout(line: bytes, end: bytes = b"\n") -> None:
    if sys.stdout is None:
        return
    if sys.stdout.isatty():
        bars.aside(lambda: _write(line + end))
    else:
        _write(line + end)


def _write(data: bytes) -> None:
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        silence()
        raise SystemExit(BROKEN_PIPE) from None
    except OSError as error:
        silence()
        raise VidalignError(f"cannot write to standard output: {error.strerror}") from error


class Talk:
    """Lines on stderr for people. `level` -1 shows errors only, 0 what matters, 1 (-v) more, 2 (-vv) all."""

    def __init__(self, level: int = 0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.level = level
        self._clock = clock

    def say(self, text: str) -> None:
        """A line that everybody sees but with -q."""
        self._line(0, printable(text))

    def verbose(self, text: str) -> None:
        """A line for -v."""
        self._line(1, printable(text))

    def debug(self, text: str) -> None:
        """A line for -vv."""
        self._line(2, printable(text))

    def warn(self, text: str) -> None:
        """A warning; not seen with -q."""
        self._line(0, warning_line(text))

    def error(self, error: VidalignError | str) -> None:
        """An error, always seen; one line with what to do next."""
        hint = error.hint if isinstance(error, VidalignError) else ""
        message = error.message if isinstance(error, VidalignError) else error
        self._line(-1, error_line(message, hint))

    @contextmanager
    def progress(
        self, label: str, total: float | None = None, unit: str = "", before: float = 0.0
    ) -> Iterator[Meter]:
        """Report on work: a bar on a terminal, else a plain line every half minute, nothing with -q.

        `unit` names what is counted; "s" (seconds of video) and "B" (bytes) are written as such. `before`
        was done earlier: it took no time.
        """
        if self.level < 0:
            yield Meter(lambda done, total, note: None, total)
        elif _is_terminal():
            with bars.task(label, total, unit, before) as meter:
                yield meter
        else:
            yield Meter(PlainLines(self.say, label, unit, self._clock, before).show, total)

    def _line(self, level: int, text: str) -> None:
        if level <= self.level:
            bars.aside(lambda: _to_stderr(text))


class LogToTalk(logging.Handler):
    """Shows the records of the loggers `vidalign.*`: warnings to all, INFO with -v, DEBUG with -vv."""

    def __init__(self, talk: Talk) -> None:
        super().__init__()
        self._talk = talk

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on."""
        text = record.getMessage()
        if record.levelno >= logging.ERROR:
            self._talk.error(text)
        elif record.levelno >= logging.WARNING:
            self._talk.warn(text)
        elif record.levelno >= logging.INFO:
            self._talk.verbose(text)
        else:
            self._talk.debug(text)


def show_logs(talk: Talk) -> None:
    """Send the log of `vidalign` to `talk`, and to no earlier one."""
    logger = logging.getLogger("vidalign")
    for handler in list(logger.handlers):
        if isinstance(handler, LogToTalk):
            logger.removeHandler(handler)
    logger.addHandler(LogToTalk(talk))
    levels = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}
    logger.setLevel(levels.get(talk.level, logging.DEBUG))


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _to_stderr(text: str) -> None:
    try:
        click.echo(text, err=True, color=color_choice())
    except BrokenPipeError:
        silence()
        raise SystemExit(BROKEN_PIPE) from None

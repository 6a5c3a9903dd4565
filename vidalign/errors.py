"""The errors a user can meet: one picklable hierarchy; each knows its exit code and what to do next."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any, ClassVar

_USER = re.compile(r"(?<=://)[^/\s@]+@")
_QUERY = re.compile(r"(https?://[^?\n]*\?)\S*[^\s:;,.)'\"]", re.IGNORECASE)
_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{28,}\b")


def debugging() -> bool:
    """Whether VIDALIGN_DEBUG asks for tracebacks in place of one line."""
    return os.environ.get("VIDALIGN_DEBUG", "") not in ("", "0")


def did_you_mean(name: object, known: Iterable[str], otherwise: str | None = None) -> str:
    """A hint for a name that is not known: those that begin so, the nearest, `otherwise`, or all."""
    from difflib import get_close_matches

    names, given = list(known), str(name)
    alike = [known for known in names if len(given) > 1 and known.startswith(given)]
    if near := alike or get_close_matches(given, names, n=1):
        return f"did you mean {' or '.join(repr(each) for each in near)}?"
    return f"known: {', '.join(names)}" if otherwise is None else otherwise


def without_secrets(text: str) -> str:
    """The text; its URLs lose user and password, and what a signed one has after the question mark."""
    return _QUERY.sub(r"\1...", _USER.sub("", text))


def brief(text: str, most: int = 200) -> str:
    """What others say of a failure, on one line and without secrets: `most` characters, hashes by 12 digits.

    With VIDALIGN_DEBUG=1 as long as it is.
    """
    text = without_secrets(" ".join(text.split()))
    if debugging():
        return text
    text = _HASH.sub(r"\1...", text)
    return text if len(text) <= most else f"{text[: most - 3].rstrip()}..."


class VidalignError(Exception):
    """Base of all errors that are told in one line.

    `message` says what is wrong, `hint` what to do next; `exit_code` is the process's. `errno` is the
    operating system's where it refused, `reader` what read the video, where that is known.
    """

    exit_code = 1
    tries: ClassVar[int] = 1
    """How many runs try an item that failed so, before its record stands for it."""
    reader: str | None = None

    def __init__(self, message: str, *, hint: str = "", errno: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.errno = errno

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild, (type(self), self.__dict__)

    @property
    def kind(self) -> str:
        """The class name, as `--json` and failure records give it."""
        return type(self).__name__


def rebuild(cls: type[VidalignError], state: dict[str, Any]) -> VidalignError:
    """The error whose `__dict__` was `state`."""
    error = cls.__new__(cls)
    Exception.__init__(error, state["message"])
    error.__dict__.update(state)
    return error


class VideoError(VidalignError):
    """A video file cannot be read: missing, empty, no pictures, not a video, broken before the first clip."""


class ReadTimeoutError(VideoError):
    """Reading was stopped: it took longer than it may, or nothing was heard of it for too long."""

    tries = 2


class ChildDiedError(VidalignError):
    """The process that read a file died of it: killed by a signal, out of memory, or a fault in a library."""

    tries = 2


class SubtitleError(VidalignError):
    """A subtitle file is refused; the message gives the file and, where there is one, the line."""

    def __init__(
        self, message: str, *, path: str = "", line: int = 0, hint: str = "", errno: int | None = None
    ) -> None:
        where = f"{path}:{line}: " if path and line else f"{path}: " if path else ""
        super().__init__(where + message, hint=hint, errno=errno)
        self.path = path
        self.line = line


class StoreError(VidalignError):
    """A features or alignment file cannot be read or written."""


class DataError(VidalignError):
    """Features and sentences do not fit each other or the model (shape, recipe, nothing to align)."""


class UsageError(VidalignError):
    """The command, its configuration or its surroundings are wrong; nothing was done."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration or recipe file holds an unknown key or a wrong value."""


class ModelError(UsageError):
    """A model is unknown, not on this machine, or its files do not fit its card."""


class MissingModelError(ModelError):
    """A model's files are not on this machine; the hint names the commands that bring them."""


class MissingExtraError(UsageError):
    """An optional package is needed; the hint is the pip line."""


class OutputMismatchError(UsageError):
    """The output exists and was made with other settings: another recipe or model."""


class StaleError(VidalignError):
    """The output was made, with the same settings, from an input that has changed since."""


class LowConfidenceError(VidalignError):
    """`align --min-confidence` was not reached; nothing was overwritten."""

    exit_code = 3

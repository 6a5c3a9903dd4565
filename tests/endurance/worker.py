"""One process that tries inputs and says of each what became of it; a crash of it is one of the findings.

Line by line on stdout: {"kind", "number", "outcome": fine|refused|finding, "what"}.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from tests.endurance.kinds import KINDS, Kind, shares
from tests.endurance.mutate import mutated
from vidalign.batch.boundary import InternalError
from vidalign.cli.lines import LONGEST, one_line
from vidalign.errors import VidalignError

SECONDS = 10
"""Seconds of computing after which an input hangs; who waits in silence is found by `fuzz`."""
MEMORY = 1 << 30
"""Bytes of address space that one input may take beyond what the process had."""


_CHANGING = {"open": 1, "os.mkdir": 1, "os.remove": 1, "os.rename": 2, "os.symlink": 2, "os.link": 2}
"""Events of Python's audit that change folders, with how many paths they name."""


class HangError(BaseException):
    """An input took too long."""


class StrayError(BaseException):
    """Something was about to be written outside of the output folder."""


class Guard:
    """Refuses every opening for writing, renaming or making of folders below any folder but `allowed`."""

    def __init__(self, allowed: Path) -> None:
        self.allowed = str(allowed.resolve()) + os.sep
        self.on = False

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """The audit hook."""
        if not self.on or event not in (
            "open",
            "os.rename",
            "os.mkdir",
            "os.symlink",
            "os.link",
            "os.remove",
        ):
            return
        if event == "open" and not _is_writing(args[1], args[2]):
            return
        for path in args[: _CHANGING[event]]:
            if isinstance(path, str | bytes) and not self._is_allowed(os.fsdecode(path)):
                self.on = False
                raise StrayError(f"{event} {path!r}")

    def _is_allowed(self, path: str) -> bool:
        if path == os.devnull or os.path.realpath(path) + os.sep == self.allowed:
            return True
        return (os.path.realpath(Path(path).parent) + os.sep).startswith(self.allowed)


def _is_writing(mode: object, flags: object) -> bool:
    if isinstance(mode, str):
        return bool(set(mode) & set("wax+"))
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def run(kind: Kind, numbers: range, seed: int, sandbox: Path, told: TextIO) -> None:
    """Try the inputs of those numbers, in a sandbox with the folders `in` and `out`."""
    corpus = kind.seeds(sandbox / "seeds")
    contents = [path.read_bytes() for path in corpus]
    guard = Guard(sandbox / "out")
    sys.addaudithook(guard)
    for path in dict.fromkeys(corpus[:20]):  # what is loaded or made once is no deed of an input
        with contextlib.suppress(VidalignError):
            kind.target(_place(kind, path, path.read_bytes(), sandbox), sandbox / "out")
    _limit_memory(None if kind.apart else MEMORY)
    for number in numbers:
        place = number % len(corpus)
        data = contents[place]
        if number >= len(corpus):
            data = mutated(data, f"{seed}/{kind.name}/{number}", contents, text=kind.text)
        given = _place(kind, corpus[place], data, sandbox)
        outcome, what = tried(kind, given, sandbox / "out", guard)
        strays = {path.name for path in sandbox.iterdir()} - {"in", "out", "seeds", "settings", "kept"}
        if strays:
            outcome, what = "finding", f"written outside of the output folder: {sorted(strays)}"
        if outcome == "finding":
            shutil.copytree(sandbox / "in", sandbox / "kept" / str(number), dirs_exist_ok=True)
        told.write(json.dumps({"kind": kind.name, "number": number, "outcome": outcome, "what": what}) + "\n")
        told.flush()


def _place(kind: Kind, seed: Path, data: bytes, sandbox: Path) -> Path:
    """The input as a file in an empty folder, beside another for outputs."""
    given = sandbox / "in" / kind.name_of(seed)
    for folder in (sandbox / "in", sandbox / "out"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    given.parent.mkdir(exist_ok=True)
    given.write_bytes(data)
    return given


def tried(kind: Kind, given: Path, out: Path, guard: Guard) -> tuple[str, str]:
    """What becomes of one input: fine, refused or finding, and why."""
    guard.on = True
    try:
        with _time_limit():
            kind.target(given, out)
    except VidalignError as error:
        return _judged(error)
    except (Exception, HangError, StrayError) as error:
        where = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in where if "vidalign/" in frame.filename] or list(where)
        lines = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(ours[-4:]))
        return "finding", f"{type(error).__name__}: {str(error)[:300]} at {lines}"
    finally:
        guard.on = False
    return "fine", ""


def _judged(error: VidalignError) -> tuple[str, str]:
    """An error is what users are promised: one line of a bearable length, foreseen, and it can be sent on."""
    told = one_line(str(error))
    if isinstance(error, InternalError):
        return "finding", f"not foreseen: {told[:300]}"
    if not error.message or "\n" in told or "\x1b" in told or len(told) > 2 * LONGEST:
        return "finding", f"not one line: {len(told)} characters: {told[:300]!r}"
    return "refused", f"{error.kind}: {told[:200]}"


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _hang(number: int, frame: FrameType | None) -> None:
    raise HangError(f"more than {SECONDS} s")


def _limit_memory(most: int | None) -> None:
    """Let this process take so many bytes beyond what it holds, None: as many as it likes."""
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = resource.RLIM_INFINITY if most is None else held + most
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


def main() -> None:
    """`KIND FIRST LAST SEED SANDBOX`: the inputs FIRST to LAST - 1; of `all`, so many dealt to all kinds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=[*KINDS, "all"])
    for name in ("first", "last", "seed"):
        parser.add_argument(name, type=int)
    parser.add_argument("sandbox", type=Path)
    args = parser.parse_args()
    told = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    signal.signal(signal.SIGPROF, _hang)
    tempfile.gettempdir()
    dealt = shares(args.last - args.first, list(KINDS)) if args.kind == "all" else None
    for kind, count in (dealt or {args.kind: args.last - args.first}).items():
        numbers = range(args.first, args.first + count)
        run(KINDS[kind], numbers, args.seed, args.sandbox / kind if dealt else args.sandbox, told)


if __name__ == "__main__":
    main()

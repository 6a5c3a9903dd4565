"""What must hold of output files before any work begins."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vidalign.errors import OutputMismatchError, StaleError, StoreError, UsageError
from vidalign.store.atomic import ELSEWHERE, way_out

WAY_OUT = "choose another output, or replace it with --overwrite"
"""What to do about an output that is in the way."""
STALE_WAY_OUT = "--overwrite makes it again; or remove the output"
"""What to do about an output whose input has changed."""


def check_writable(outputs: Iterable[Path]) -> None:
    """Look whether the folder of every output can be written, or made in one that can.

    Raises StoreError where that is not allowed, UsageError where it cannot be a folder.
    """
    for folder in dict.fromkeys(map(_folder, outputs)):
        try:
            above = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        except OSError as error:
            hint = way_out(error) or ELSEWHERE
            raise UsageError(f"cannot write into {folder}: {error.strerror}", hint=hint) from None
        if not above.is_dir():
            raise UsageError(f"cannot write into {folder}: {above} is not a folder", hint=ELSEWHERE)
        if not os.access(above, os.W_OK | os.X_OK):
            raise StoreError(f"cannot write into {folder}: no permission to write {above}", hint=ELSEWHERE)


def _folder(output: Path) -> Path:
    """Where an output is written: beside what a link leads to."""
    try:
        return output.resolve().parent if output.is_symlink() else output.parent
    except (OSError, RuntimeError):
        return output.parent


@contextmanager
def in_the_way() -> Iterator[None]:
    """Says of a file that cannot be read what to do when it lies where an output belongs."""
    try:
        yield
    except StoreError as error:
        raise StoreError(error.message, hint=WAY_OUT, errno=error.errno) from error


def check_same(output: Path, settings: Sequence[str], inputs: Sequence[str]) -> None:
    """Raise OutputMismatchError where `settings` differ from those of the output, StaleError where only
    `inputs` do; both are differences in words.
    """
    said = f"(there / now: {'; '.join([*settings, *inputs])})"
    if settings:
        raise OutputMismatchError(f"{output} was made otherwise {said}", hint=WAY_OUT)
    if inputs:
        raise StaleError(f"the input has changed since {output} was made {said}", hint=STALE_WAY_OUT)

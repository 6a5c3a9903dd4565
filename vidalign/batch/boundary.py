"""The one place where anything that goes wrong with an item becomes that item's error, not the run's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from vidalign.errors import UsageError, VidalignError, debugging

Result = TypeVar("Result")


class InternalError(VidalignError):
    """Something that vidalign did not foresee went wrong with one item."""

    tries = 2


def attempt(work: Callable[[], Result], source: Path) -> Result | VidalignError:
    """`work()`, or the error that the item `source` failed with, its message naming the item.

    Errors of usage end the run, and with VIDALIGN_DEBUG=1 unforeseen ones do too.
    """
    try:
        return work()
    except UsageError:
        raise
    except VidalignError as error:
        if str(source) not in error.message:
            error.message = f"{source}: {error.message}"
        return error
    except Exception as error:
        if debugging():
            raise
        reason = " ".join(str(error).split()) or "no message"
        return InternalError(
            f"{source}: {type(error).__name__}: {reason}",
            hint="VIDALIGN_DEBUG=1 shows where it happened",
            errno=error.errno if isinstance(error, OSError) else None,
        )

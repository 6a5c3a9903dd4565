"""How commands over many items tell of each one, and of how far they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vidalign.cli.output import Talk, emit_json, emit_path

if TYPE_CHECKING:
    from vidalign.batch.report import ItemResult

Progress = Callable[[float, float | None], None]


@contextmanager
def meter_for(talk: Talk, total: int) -> Iterator[Callable[[str], Progress]]:
    """A function that, given the name of the item under way, gives the function to report its seconds to."""
    number = 0
    with talk.progress("video", unit="s") as meter:

        def begin(name: str) -> Progress:
            nonlocal number
            number += 1
            note = f"{number} of {total}: {name}"
            return lambda done, length: meter.update(done, length, note)

        yield begin


def tell(result: ItemResult, talk: Talk, *, as_json: bool) -> None:
    """Data to stdout (a finished item's path, or every item as JSON), warnings and errors to stderr."""
    tell_doubts(result, talk)
    if as_json:
        emit_json(result.as_json())
    elif result.status == "planned":
        talk.say(f"would write {result.output}")
    elif result.output and result.status != "failed":
        emit_path(result.output)


def tell_doubts(result: ItemResult, talk: Talk) -> None:
    """An item's warnings and error to stderr."""
    for warning in result.warnings:
        talk.warn(warning)
    if result.error is not None:
        talk.error(result.error)

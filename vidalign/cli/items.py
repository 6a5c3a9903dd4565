"""How commands over many items tell of each one, and of how far they are."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from vidalign.cli.options import Command
from vidalign.cli.output import Talk, emit_json, emit_path

if TYPE_CHECKING:
    from vidalign.batch.pipeline import Settings
    from vidalign.batch.report import ItemResult
    from vidalign.batch.runfile import Task
    from vidalign.batch.shards import Asked, Shard
    from vidalign.batch.tally import Tally

EVERY_SECONDS = 0.5
"""How often to look how far a batch is."""


class Manners(NamedTuple):
    """How the run treats what is there, what fails, and who listens."""

    overwrite: bool
    retry_failed: bool
    fail_fast: bool
    strict: bool
    dry_run: bool
    as_json: bool
    settings: Settings

    def end_with(self, result: ItemResult) -> bool:
        """Whether a result ends the run: with --fail-fast, unless an earlier run has told of it."""
        from vidalign.batch.failures import FormerFailureError

        is_old = result.status == "skipped" or isinstance(result.error, FormerFailureError)
        failed = result.status == "failed" or (self.strict and result.truncated)
        return self.fail_fast and failed and not is_old


def with_manners(command: Command) -> Command:
    """The command gets `manners` instead of the options that they are made of.

    Stands nearest to the command: others look at those options.
    """

    @functools.wraps(command)
    def mannered(*args: Any, **values: Any) -> Any:
        manners = Manners(**{name: values.pop(name) for name in Manners._fields})
        return command(*args, manners=manners, **values)

    return cast(Command, mannered)


@contextmanager
def meter_for(talk: Talk, tally: Tally) -> Iterator[None]:
    """Tells, as long as it lasts, how far a batch is: at once on a terminal, now and then elsewhere."""
    ended = threading.Event()
    with talk.progress("video", unit="s") as meter:

        def tell_on() -> None:
            while not ended.wait(EVERY_SECONDS):
                meter.update(tally.seconds, tally.expected, str(tally))

        thread = threading.Thread(target=tell_on, name="vidalign-meter", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def share_of(asked: Asked | None, folders: Sequence[Path], task: Task, talk: Talk) -> Shard | None:
    """The share of the items that a run of `folders` does; None: all of them."""
    from vidalign.batch.runfile import recorded_dealing
    from vidalign.batch.slurm import unused_array

    if asked is not None:
        return asked.choose([recorded_dealing(folder, task) for folder in folders], os.environ)
    if doubt := unused_array(os.environ):
        talk.warn(doubt)
    return None


def tell(result: ItemResult, talk: Talk, *, as_json: bool, tally: Tally | None = None) -> None:
    """Data to stdout (a finished item's path, or every item as JSON), warnings and errors to stderr."""
    tell_doubts(result, talk)
    if as_json:
        emit_json(result.as_json() | ({} if tally is None else {"progress": tally.as_json()}))
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

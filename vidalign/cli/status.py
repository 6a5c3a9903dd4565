"""`vidalign status`: what of a list of videos is done in an output folder."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidalign.cli.options import root_option, talk_options
from vidalign.cli.remote import PathOrUrl

if TYPE_CHECKING:
    from vidalign.cli.output import Talk


@click.command()
@click.argument("folder", metavar="DIR", type=PathOrUrl(exists=True, file_okay=False, path_type=Path))
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option(
    "--manifest",
    metavar="LIST",
    help="A file of paths, one a line (- for stdin), as `vidalign extract -` takes it.",
)
@root_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a folder, with every name.")
@talk_options
def status(
    folder: Path | str,
    sources: tuple[str, ...],
    manifest: str | None,
    root: Path | None,
    as_json: bool,
    talk: Talk,
) -> None:
    """Say what is done, failed, missing and stale in DIR, the folder of `extract` or `align`, and which
    shards to run again.

    Name the videos as the run did: SOURCE is a video or a folder, --manifest a list of paths. Without any,
    what lies in DIR is counted, nothing can be missing, and not all shards are known. Stale: the video's
    size differs from that in the output, or the output was made otherwise than run.json says; shards are not
    run again for it. Exits with 1 where anything is left to do.
    """
    from vidalign.batch.status import SUFFIXES, look, run_folders
    from vidalign.cli.output import emit_json, emit_text
    from vidalign.errors import VidalignError
    from vidalign.store.items import find_items

    listed = _paths(manifest)
    folder = _near(folder, (*sources, *(listed or ())))
    named = [*sources, *(["-"] if listed is not None else [])]
    complete = True
    for place, task in run_folders(folder):
        items = (
            find_items(named, place, suffix=SUFFIXES[task], root=root, stdin=listed or ()) if named else None
        )
        found = look(place, task, items)
        complete = complete and found.is_complete
        if as_json:
            emit_json(found.as_json())
            continue
        for line in found.lines():
            emit_text(line)
        for failure in found.failed:
            talk.error(VidalignError(failure.message, hint=failure.hint))
        for name in found.missing:
            talk.verbose(f"missing: {name}")
    if not complete:
        raise SystemExit(1)


def _near(folder: Path | str, named: Iterable[str]) -> Path:
    """The folder; raises UsageError where it, or a video, is given by URL."""
    from vidalign.errors import UsageError
    from vidalign.store.remote import is_url

    for each in (folder, *named):
        if isinstance(each, str) and is_url(each):
            raise UsageError(
                f"{each}: status looks at folders and paths of this machine only",
                hint="the command that made the outputs, run again, skips what is done",
            )
    return Path(folder)


def _paths(manifest: str | None) -> list[str] | None:
    """The paths of a manifest; raises UsageError where it cannot be read."""
    from vidalign.errors import UsageError
    from vidalign.store.items import read_paths

    if manifest is None:
        return None
    if manifest == "-":
        return read_paths(sys.stdin.buffer.read())
    try:
        return read_paths(Path(manifest).read_bytes())
    except OSError as error:
        raise UsageError(
            f"cannot read the list {manifest}: {error.strerror}", hint="check the name"
        ) from None

"""URLs among the sources of a command over many videos, and as its output."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import click

from vidalign.cli.options import Command

if TYPE_CHECKING:
    from vidalign.batch.engines.registry import Engine

GIB = 2**30


class PathOrUrl(click.Path):
    """A path, or a URL as it is given."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Path or str."""
        from vidalign.store.remote import is_url

        return value if isinstance(value, str) and is_url(value) else super().convert(value, param, ctx)


class Area(NamedTuple):
    """Where files by URL lie while they are used, and how many bytes of them."""

    above: Path | None
    limit: int


class Given(NamedTuple):
    """What the command line names, paths and URLs; `listed` are the lines of stdin."""

    sources: Sequence[str]
    listed: Sequence[str]
    folder: Path | str
    root: Path | str | None


class Near(NamedTuple):
    """The same as it is on this machine; `more` are paths of videos by URL, with item names."""

    sources: Sequence[str]
    listed: Sequence[str]
    more: Sequence[tuple[Path, str]]
    folder: Path
    root: Path | None
    engine: Engine


url_root_option = click.option(
    "--root",
    type=PathOrUrl(file_okay=False, path_type=Path),
    metavar="DIR|URL",
    help="Folder from which output names count (paths from stdin: the current folder, URLs: their host).",
)


def scratch_options(command: Command) -> Command:
    """Add --scratch and --scratch-gib, together the parameter `area`."""

    @click.option(
        "--scratch",
        type=click.Path(file_okay=False, exists=True, path_type=Path),
        help="Folder for videos by URL while they are read, and for outputs on their way; by default the "
        "system's for temporary files.",
    )
    @click.option(
        "--scratch-gib",
        type=click.FloatRange(min=0, min_open=True),
        default=20.0,
        show_default=True,
        help="GiB of such videos at one time.",
    )
    @functools.wraps(command)
    def given(scratch: Path | None, scratch_gib: float, **values: Any) -> Any:
        return command(area=Area(scratch, round(scratch_gib * GIB)), **values)

    return cast(Command, given)


@contextmanager
def brought_near(given: Given, area: Area, name: str, engine: Engine) -> Iterator[Near]:
    """What is given, with URLs replaced by paths of a scratch area; the engine brings and takes the files.

    `name` is the engine's.

    Raises UsageError for a URL that cannot be used.
    """
    from vidalign.batch.remote.inputs import split_urls

    here, far = split_urls(given.sources)
    listed_here, listed_far = split_urls(given.listed)
    folder, root = given.folder, given.root
    near_root = root if isinstance(root, Path) else None
    if isinstance(folder, Path) and not far and not listed_far:
        yield Near(here, listed_here, [], folder, near_root, engine)
        return
    from vidalign.batch.remote.inputs import RemoteInputs
    from vidalign.batch.remote.outputs import RemoteOutputs
    from vidalign.batch.remote.run import RemoteRun
    from vidalign.errors import UsageError
    from vidalign.store.scratch import Scratch

    if name != "local":
        raise UsageError("URLs go with --engine local", hint="or give Ray paths that all its machines see")
    with Scratch(area.above, area.limit) as scratch:
        inputs = RemoteInputs(scratch)
        more = list(inputs.named(far, listed_far, root if isinstance(root, str) else None))
        outputs = None
        if isinstance(folder, str):
            outputs = RemoteOutputs(folder, scratch.folder / "outputs")
            folder = outputs.folder
        yield Near(here, listed_here, more, folder, near_root, RemoteRun(inputs, outputs))

"""URLs among the sources of a command over many videos, and as its output."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import click

from vidalign.cli.options import Command
from vidalign.errors import VidalignError

if TYPE_CHECKING:
    from vidalign.batch.engines.registry import Engine, Extract
    from vidalign.batch.remote.inputs import RemoteInputs
    from vidalign.batch.remote.outputs import RemoteOutputs
    from vidalign.store.scratch import Scratch

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
    extract: Extract


url_root_option = click.option(
    "--root",
    type=PathOrUrl(file_okay=False, path_type=Path),
    metavar="DIR|URL",
    help="Folder from which output names count (paths from stdin or a CSV: the current folder, URLs: their "
    "host).",
)


def scratch_options(command: Command) -> Command:
    """Add --scratch and --scratch-gib, together the parameter `area`."""

    @click.option(
        "--scratch",
        type=click.Path(file_okay=False, exists=True, path_type=Path),
        help="Folder for files by URL while they are read, and for outputs on their way; by default the "
        "system's for temporary files.",
    )
    @click.option(
        "--scratch-gib",
        type=click.FloatRange(min=0, min_open=True),
        default=20.0,
        show_default=True,
        help="GiB of such files at one time.",
    )
    @functools.wraps(command)
    def given(scratch: Path | None, scratch_gib: float, **values: Any) -> Any:
        return command(area=Area(scratch, round(scratch_gib * GIB)), **values)

    return cast(Command, given)


@contextmanager
def brought_near(given: Given, area: Area, engine: Engine | None, timeout: float | None) -> Iterator[Near]:
    """What is given, with URLs replaced by paths of a scratch area, and what extracts there.

    Raises UsageError for a URL that cannot be used.
    """
    from vidalign.batch.extract import extract_items
    from vidalign.batch.files import urls_here_only
    from vidalign.batch.remote.inputs import split_urls
    from vidalign.batch.remote.run import RemoteRun

    here, far = split_urls(given.sources)
    listed_here, listed_far = split_urls(given.listed)
    folder, root = given.folder, given.root
    near_root = root if isinstance(root, Path) else None
    if isinstance(folder, Path) and not far and not listed_far:
        extract = extract_items if engine is None else engine.extract
        yield Near(here, listed_here, [], folder, near_root, extract)
        return
    if engine is not None:
        raise urls_here_only()
    with around(area, timeout) as place, place.telling():
        more = list(place.files.named(far, listed_far, root if isinstance(root, str) else None))
        folder, outputs = place.folder(folder)
        yield Near(here, listed_here, more, folder, near_root, RemoteRun(place.files, outputs).extract)


class Around:
    """The scratch area of a command, with the files and the folders of outputs that lie there for a while."""

    def __init__(self, files: RemoteInputs, scratch: Scratch) -> None:
        self.files, self._scratch = files, scratch
        self._folders: dict[tuple[str, bool], RemoteOutputs] = {}

    def folder(self, given: Path | str, *, listed: bool = True) -> tuple[Path, RemoteOutputs | None]:
        """The folder here for one by path or URL, and what sends from it; one of a URL is the same again.

        Raises UsageError for a URL that nothing can be written to, StoreError.
        """
        from vidalign.batch.remote.outputs import RemoteOutputs

        if isinstance(given, Path):
            return given, None
        key = given.rstrip("/"), listed
        if key not in self._folders:
            near = self._scratch.folder / "outputs" / str(len(self._folders))
            self._folders[key] = RemoteOutputs(key[0], near, listed=listed)
        return self._folders[key].folder, self._folders[key]

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Errors that are raised have URLs in place of the paths that stand for them."""
        try:
            yield
        except VidalignError as error:
            for folder in self._folders.values():
                folder.told(error)
            error.message = self.files.told(error.message)
            raise


@contextmanager
def around(area: Area, timeout: float | None = None) -> Iterator[Around]:
    """A scratch area; fetching a file may take `timeout` seconds."""
    from vidalign.batch.remote.inputs import RemoteInputs
    from vidalign.store.scratch import Scratch

    with Scratch(area.above, area.limit) as scratch:
        yield Around(RemoteInputs(scratch, timeout), scratch)

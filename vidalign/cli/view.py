"""`vidalign view`: alignments as pages to look at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import click

from vidalign.cli.options import json_option, overwrite_option, talk_options
from vidalign.cli.truth import true_intervals, truth_option
from vidalign.cli.untrusted import untrusted_option
from vidalign.errors import DataError, OutputMismatchError, StoreError, UsageError, VidalignError

if TYPE_CHECKING:
    from vidalign.cli.output import Talk
    from vidalign.types import Alignment
    from vidalign.viewer.page import Entry, Movie

MOST_EMBEDDED = 100 * 2**20
"""Bytes; larger videos make pages that browsers open slowly or not at all."""

_KINDS = {".webm": "video/webm", ".mkv": "video/x-matroska", ".mov": "video/quicktime", ".ogv": "video/ogg"}


class Wishes(NamedTuple):
    """What the options say of every page."""

    video: Path | None
    truth: Path | None
    embed: bool
    overwrite: bool


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The page; of several files the index, or a folder for it.  [default: STEM.html, or report/]",
)
@click.option(
    "--video",
    type=click.Path(exists=True, path_type=Path),
    help="The video, or a folder that has it; by default it is looked for beside FILE and here.",
)
@click.option("--embed", is_flag=True, help="Carry the video inside the page (up to 100 MiB).")
@truth_option
@click.option("--open", "show", is_flag=True, help="Open the result in the browser.")
@overwrite_option
@json_option
@untrusted_option()
@talk_options
def view(
    files: tuple[Path, ...],
    output: Path | None,
    video: Path | None,
    embed: bool,
    truth: Path | None,
    show: bool,
    overwrite: bool,
    as_json: bool,
    talk: Talk,
) -> int:
    """Make a page of each alignment FILE: video, similarity, sentences, all linked.

    A page is one HTML file that works without a network; it holds everything but the video, which it finds
    by its path. Several files give one page each and an index with a search. Prints the path of each page,
    the index last.
    """
    from vidalign.batch.outputs import check_writable

    wishes = Wishes(video, truth, embed, overwrite)
    if len(files) == 1:
        page = output or Path(_stem(files[0]) + ".html")
        check_writable([page])
        _tell(page, _write_page(files[0], page, wishes, talk), as_json)
        failed = 0
    else:
        if video is not None and not video.is_dir():
            raise UsageError(f"--video {video} is one video for {len(files)} files", hint="give a folder")
        page, failed = _write_all(files, output or Path("report"), wishes, as_json, talk)
    if show and not _open(page):
        talk.warn(f"no browser could be opened; open {page} in one")
    return int(failed > 0)


def _write_all(
    files: Sequence[Path], output: Path, wishes: Wishes, as_json: bool, talk: Talk
) -> tuple[Path, int]:
    """One page a file and the index: its path, and how many files failed."""
    from vidalign.batch.outputs import check_writable
    from vidalign.viewer.page import index_page

    index, folder = _index_and_folder(output)
    check_writable([index, folder / "page"])
    _refuse_strangers(index, wishes)
    entries: list[Entry] = []
    names = _names(files)
    for file, name in zip(files, names, strict=True):
        page = folder / f"{name}.html"
        try:
            entries.append(_write_page(file, page, wishes, talk, index.parent))
        except VidalignError as error:
            talk.error(error)
            continue
        _tell(page, entries[-1], as_json)
    _write(index, index_page(entries, folder.name or "alignments"))
    _tell(index, None, as_json)
    return index, len(files) - len(entries)


def _write_page(file: Path, page: Path, wishes: Wishes, talk: Talk, root: Path | None = None) -> Entry:
    """Write one page; its entry in an index that lies in the folder `root`."""
    from vidalign.viewer.page import Entry, alignment_page
    from vidalign.viewer.payload import median_shift

    _refuse_strangers(page, wishes)
    alignment = _read(file)
    truth = None if wishes.truth is None else true_intervals(wishes.truth, alignment)
    movie = _movie(file, page, alignment, wishes, talk)
    _write(page, alignment_page(alignment, movie, truth))
    return Entry(
        name=alignment.video or _stem(file),
        href=_url(page, root or page.parent),
        sentences=len(alignment.sentences),
        aligned=int(alignment.aligned.sum()),
        median_shift=median_shift(alignment),
        model=alignment.model,
    )


def _read(file: Path) -> Alignment:
    from vidalign.store.alignments import read_alignment
    from vidalign.store.kind import kind_of

    if kind_of(file) == "features":
        raise DataError(
            f"{file} holds features, not an alignment",
            hint=f"make one with `vidalign align VIDEO SUBTITLES --features {file}`",
        )
    return read_alignment(file)


def _movie(file: Path, page: Path, alignment: Alignment, wishes: Wishes, talk: Talk) -> Movie | None:
    """The video of a page, None where it is not to be found."""
    from vidalign.viewer.page import Movie

    source = _find(file, alignment.video, wishes.video)
    if source is None:
        name = alignment.video or "its video"
        if wishes.embed:
            raise DataError(f"{file}: {name} was not found", hint="say where it is with --video")
        talk.warn(f"{file}: {name} was not found; the page will ask for it, or say where it is with --video")
        return None
    kind = _KINDS.get(source.suffix.lower(), "video/mp4")
    if not wishes.embed:
        return Movie(url=_url(source, page.parent), kind=kind)
    if source.stat().st_size > MOST_EMBEDDED:
        size = f"{source.stat().st_size / 2**20:.0f} MiB"
        raise UsageError(
            f"{source} has {size}, too much to be carried inside a page", hint="leave out --embed"
        )
    try:
        return Movie(content=source.read_bytes(), kind=kind)
    except OSError as error:
        raise StoreError(f"cannot read {source}: {error.strerror}") from error


def _find(file: Path, name: str | None, given: Path | None) -> Path | None:
    """The video given, or the one of that name in the folder given, beside the file, or here."""
    if given is not None and not given.is_dir():
        return given
    folders = [given] if given is not None else [file.parent, Path()]
    found = [folder / name for folder in folders if name and (folder / name).is_file()]
    return found[0] if found else None


def _index_and_folder(output: Path) -> tuple[Path, Path]:
    """Where the index goes, and the pages: x.html and x/, or DIR/index.html and DIR/."""
    if output.suffix.lower() in (".html", ".htm") and not output.is_dir():
        return output, output.with_suffix("")
    return output / "index.html", output


def _names(files: Sequence[Path]) -> list[str]:
    """A name of its own for each file's page; `index` is taken."""
    taken, names = {"index"}, []
    for file in files:
        stem = name = _stem(file)
        number = 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def _stem(file: Path) -> str:
    return file.with_suffix("").name.removesuffix(".align")


def _refuse_strangers(page: Path, wishes: Wishes) -> None:
    """Raise OutputMismatchError where a page would replace something that is not a page of vidalign."""
    from vidalign.viewer.page import is_page

    if wishes.overwrite or not page.is_file():
        return
    with page.open("rb") as file:
        start = file.read(4096).decode("utf-8", "replace")
    if not is_page(start):
        raise OutputMismatchError(
            f"{page} exists and is not a page of vidalign", hint="give another -o, or --overwrite"
        )


def _write(page: Path, text: str) -> None:
    from vidalign.store.atomic import write_text

    write_text(page, text)


def _url(path: Path, folder: Path) -> str:
    """The path as a URL relative to the folder, bytes that are not plain percent-encoded."""
    return quote(os.fsencode(os.path.relpath(os.path.abspath(path), os.path.abspath(folder))))  # noqa: PTH100


def _open(page: Path) -> bool:
    import webbrowser

    return webbrowser.open(page.absolute().as_uri())


def _tell(page: Path, entry: Entry | None, as_json: bool) -> None:
    from vidalign.cli.output import emit

    if not as_json:
        emit(page)
        return
    known: dict[str, Any] = {"page": str(page), "kind": "index" if entry is None else "alignment"}
    if entry is not None:
        known |= {"name": entry.name, "sentences": entry.sentences, "aligned": entry.aligned}
        known["median_shift"] = entry.median_shift
    emit(known)

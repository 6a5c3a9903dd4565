"""Many videos, one output file each: which sources there are, what they are called, where they go."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vidalign.errors import UsageError

VIDEO_SUFFIXES = (
    *(
        ".3g2",
        ".3gp",
        ".asf",
        ".avi",
        ".divx",
        ".f4v",
        ".flv",
        ".m2ts",
        ".m2v",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp4",
    ),
    *(".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
)


@dataclass(frozen=True, slots=True)
class Item:
    """One video and its output file; `name` is the path relative to its source, suffix kept, `/` between."""

    source: Path
    name: str
    output: Path

    @property
    def folder(self) -> Path:
        """The folder of the run's outputs, from which `name` counts."""
        return self.output.parents[len(PurePosixPath(self.name).parts) - 1]


def find_items(
    sources: Sequence[str | Path],
    folder: Path,
    *,
    suffix: str = ".h5",
    root: Path | None = None,
    stdin: Iterable[str] = (),
    more: Iterable[tuple[Path, str]] = (),
) -> list[Item]:
    """The items of `sources`, each once, with outputs `folder`/NAME`suffix`; `more` are (path, name) pairs.

    A source is a video (any suffix), a folder (walked for VIDEO_SUFFIXES, hidden ones left out, in the order
    of names) or `-` (the paths of `stdin`). A name counts from the folder given; for `stdin` from `root`, by
    default the current folder; with `root` for all. Raises UsageError: outside `root`, no video in a folder,
    two videos for one output.
    """
    named: dict[str, tuple[Path, str]] = {}
    for source, name in (*_named(sources, root, stdin), *more):
        named.setdefault(os.path.abspath(source), (source, name))  # noqa: PTH100 - links stay as they are
    return place(named.values(), folder, suffix)


def place(named: Iterable[tuple[Path, str]], folder: Path, suffix: str) -> list[Item]:
    """Give (source, name) pairs their outputs: the name's own suffix is replaced, or kept by all who collide.

    Raises UsageError when two sources have one name.
    """
    pairs = list(named)
    sources: dict[str, Path] = {}
    for source, name in pairs:
        other = sources.setdefault(name, source)
        if other != source:
            raise UsageError(
                f"{other} and {source} would both be written as {name}",
                hint="give --root, a folder that holds both",
            )
    outputs = {name: _replaced(name, suffix) for name in sources}
    while clashes := {output for output, count in Counter(outputs.values()).items() if count > 1}:
        outputs = {name: name + suffix if output in clashes else output for name, output in outputs.items()}
    return [Item(source, name, folder / outputs[name]) for source, name in pairs]


def name_below(path: Path, root: Path) -> str:
    """The item name of `path` counted from `root`, `/` between; raises UsageError outside it."""
    as_given = Path(os.path.abspath(path)), Path(os.path.abspath(root))  # noqa: PTH100
    try:
        linked = path.parent.resolve() / path.name, root.resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(f"{path} is no path of a file: {error}", hint="mend the list of inputs") from None
    for full, above in (as_given, linked):
        if full != above and full.is_relative_to(above):
            return full.relative_to(above).as_posix()
    raise _outside(path, root)


def _outside(path: Path, root: Path) -> UsageError:
    return UsageError(
        f"{path} lies outside {root}",
        hint="give --root, a folder that holds all the paths, which count from the current one",
    )


def read_paths(data: bytes) -> list[str]:
    """The paths of a list: one a line (blank lines ignored), or separated by NUL as `find -print0` does."""
    if b"\0" in data:
        return [os.fsdecode(path) for path in data.split(b"\0") if path.strip()]
    lines = (line.removesuffix(b"\r") for line in data.split(b"\n"))
    return [os.fsdecode(line) for line in lines if line.strip()]


def walk(folder: Path) -> Iterator[Path]:
    """Known video files below `folder`, sorted, hidden files and folders left out, loops of links cut."""
    yield from _walk(folder, (os.path.realpath(folder),))


def _named(
    sources: Sequence[str | Path], root: Path | None, stdin: Iterable[str]
) -> Iterator[tuple[Path, str]]:
    for source in sources:
        if str(source) == "-":
            yield from _named(list(stdin), root or Path.cwd(), ())
            continue
        if not str(source):
            raise UsageError("an empty path was given")
        path = Path(source)
        if not _is_folder(path):
            yield path, name_below(path, root or path.parent)
            continue
        if root is not None and not _holds(root, path):
            raise _outside(path, root)
        found = list(walk(path))
        if not found:
            raise UsageError(
                f"no video in the folder {path}", hint=f"known suffixes: {' '.join(VIDEO_SUFFIXES)}"
            )
        yield from ((video, name_below(video, root or path)) for video in found)


def _is_folder(path: Path) -> bool:
    """Also of names that no file can have, whose items then fail alone."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _holds(root: Path, folder: Path) -> bool:
    """Whether the folder is `root` or below it, as it is written or where links lead."""
    written = Path(os.path.abspath(folder)).is_relative_to(os.path.abspath(root))  # noqa: PTH100
    return written or folder.resolve().is_relative_to(root.resolve())


def _walk(folder: Path, above: tuple[str, ...]) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise UsageError(f"cannot list the folder {folder}: {error.strerror}") from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = folder / entry.name
        if path.is_dir():
            real = os.path.realpath(path)
            if real not in above:
                yield from _walk(path, (*above, real))
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            yield path


def _replaced(name: str, suffix: str) -> str:
    return str(Path(name).with_suffix("")) + suffix

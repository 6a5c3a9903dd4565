"""The files that a run reads: those of this machine, as they are; `vidalign.batch.remote.inputs` has URLs."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from vidalign.batch.failures import State, state_of
from vidalign.errors import UsageError
from vidalign.store.items import Item, find_items, name_below
from vidalign.text.subtitles.beside import SubtitleFolder, find_subtitles

Given = str | Path
"""A path, or a URL."""


class Subtitles(Protocol):
    """The subtitle files of a folder."""

    def find(self, video: str) -> Path | None:
        """As `SubtitleFolder.find`."""


class Files:
    """Files of this machine; each path is where its file lies."""

    def opened(self, path: Path) -> AbstractContextManager[Path]:
        """The file to read for a path, as long as it is needed."""
        return nullcontext(path)

    def url(self, path: Path) -> str:
        """Where the file of a path is fetched from, nothing for one of this machine."""
        return ""

    def state(self, path: Path) -> State:
        """What the file is like now."""
        return state_of(path)

    def told(self, text: str, paths: Iterable[Path]) -> str:
        """The text with URLs in place of the paths that stand for them."""
        return text

    def at(self, given: Given, above: Given = "") -> Path:
        """The path of a file as it is given, counted from the folder `above`."""
        return Path(above) / given

    def single(self, given: Given) -> Path:
        """The path of the video of a run that has only one."""
        return Path(given)

    def above(self, given: Given) -> Given:
        """The folder of a file as it is given."""
        return Path(given).parent

    def is_folder(self, given: Given) -> bool:
        """Whether that is a folder."""
        return Path(given).is_dir()

    def lacks(self, path: Path) -> bool:
        """Whether it is known already that there is no such file."""
        return not path.exists()

    def video(self, given: Given, above: Given, root: Given | None) -> tuple[Path, str]:
        """The path and the item name of a video; it counts from `root`, by default the current folder.

        Raises UsageError where it lies outside.
        """
        path = Path(above) / given
        return path, name_below(path, Path.cwd() if root is None else Path(root))

    def items(self, folder: Given, output: Path, suffix: str, root: Given | None) -> list[Item]:
        """The videos below a folder, as `find_items` finds them."""
        return find_items([folder], output, suffix=suffix, root=None if root is None else Path(root))

    def relative(self, video: Path, folder: Given) -> str:
        """The path of a video counted from a folder that holds it."""
        return video.relative_to(folder).as_posix()

    def subtitles(self, folder: Given) -> Subtitles:
        """The subtitles in a folder."""
        return SubtitleFolder(folder)

    def beside(self, video: Path) -> Path | None:
        """The subtitle file beside a video; raises SubtitleError where several fit."""
        return find_subtitles(video)


HERE = Files()
"""Those of this machine."""


def urls_here_only() -> UsageError:
    """What is said where a URL is given to many machines."""
    return UsageError("URLs go with --engine local", hint="or give Ray paths that all its machines see")

"""Videos that an evaluation leaves out: those without a file, and those whose files are bad."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from vidalign.errors import DataError, UsageError, VidalignError
from vidalign.evaluation.files import NamedFiles

Progress = Callable[[int, str], None]
"""Told how many videos are done, and the next one."""


def silent(done: int, video: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Names of videos without a file, and the errors of bad ones by name."""

    missing: list[str] = field(default_factory=list)
    failed: dict[str, VidalignError] = field(default_factory=dict)

    def paths(
        self, names: Iterable[str], files: NamedFiles, progress: Progress = silent
    ) -> Iterator[tuple[str, Path]]:
        """Names with their files; one without is missing, one with several has failed."""
        for number, name in enumerate(names):
            progress(number, name)
            path = None
            with self.bad(name):
                path = files.find(name)
                if path is None:
                    self.missing.append(name)
            if path is not None:
                yield name, path

    @contextmanager
    def bad(self, name: str, where: str = "") -> Iterator[None]:
        """Ends at an error of this video's and keeps it; an error of usage is everybody's.

        The message begins with the name, and `where` in front of it.
        """
        try:
            yield
        except UsageError:
            raise
        except VidalignError as error:
            error.message = f"{where}{name}: {error.message}"
            self.failed[name] = error

    def why(self, otherwise: DataError) -> VidalignError:
        """Why not one video is left: the first error, or `otherwise`."""
        return next(iter(self.failed.values()), otherwise)

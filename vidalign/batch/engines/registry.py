"""The engines by name: how the work on many videos is carried out."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any, Protocol

from vidalign.batch.align import Begin as BeginPair
from vidalign.batch.align import Ended
from vidalign.batch.extract import Begin, Planned
from vidalign.batch.pairs import Found
from vidalign.batch.pipeline import Settings
from vidalign.batch.report import ItemResult
from vidalign.batch.settings import AlignRun
from vidalign.batch.shards import Dealing
from vidalign.errors import UsageError

ENGINES = ("local", "ray")


class Extract(Protocol):
    """Extracts as `extract_items` says."""

    def __call__(
        self,
        plan: Sequence[Planned],
        *,
        overwrite: bool = False,
        retry_failed: bool = False,
        dry_run: bool = False,
        dealing: Dealing | None = None,
        settings: Settings | None = None,
        progress: Begin | None = None,
    ) -> Generator[ItemResult, None, None]:
        """What became of each item, as soon as it is on disk."""


class Align(Protocol):
    """Aligns as `align_pairs` says, pairs and videos without subtitles."""

    def __call__(
        self,
        found: Found,
        run: AlignRun,
        *,
        overwrite: bool = False,
        retry_failed: bool = False,
        dry_run: bool = False,
        dealing: Dealing | None = None,
        settings: Settings | None = None,
        progress: BeginPair | None = None,
    ) -> Generator[Ended, None, None]:
        """What became of each pair, as soon as it is on disk."""


class Engine(Protocol):
    """Many machines, which see the files by the same paths."""

    @property
    def extract(self) -> Extract:
        """Videos become features files."""

    @property
    def align(self) -> Align:
        """Pairs become alignments in one folder; those that are returned may lack the similarity matrix.

        Raises UsageError, at the call, where a file is a URL's.
        """


def make_engine(name: str, options: Mapping[str, Any]) -> Engine | None:
    """The engine of that name, None for this machine; raises UsageError on options that it has not."""
    if name == "ray":
        from vidalign.batch.engines.ray import RayEngine, RayOptions

        return RayEngine(RayOptions.parse(options))
    if options:
        raise UsageError(f"--engine {name} has no options", hint="leave --engine-option out")
    return None

"""The engines by name: how the work on many videos is carried out."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from vidalign.batch.extract import Begin, Planned, extract_items
from vidalign.batch.pipeline import Settings
from vidalign.batch.report import ItemResult
from vidalign.batch.shards import Dealing
from vidalign.errors import UsageError

ENGINES = ("local", "ray")


class Engine(Protocol):
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


def make_engine(name: str, options: Mapping[str, Any]) -> Engine:
    """The engine of that name; raises UsageError on options that it has not."""
    if name == "ray":
        from vidalign.batch.engines.ray import RayOptions, extract_on_ray

        return partial(extract_on_ray, options=RayOptions.parse(options))
    if options:
        raise UsageError(f"--engine {name} has no options", hint="leave --engine-option out")
    return extract_items

"""The local engine over URLs: videos come when they are read, outputs go when they are written."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from vidalign.batch.extract import Begin, Planned, extract_items
from vidalign.batch.pipeline import Made, Pipeline, Progress, Settings, Work
from vidalign.batch.remote.inputs import RemoteInputs
from vidalign.batch.remote.outputs import RemoteOutputs
from vidalign.batch.report import ItemResult
from vidalign.batch.shards import Dealing
from vidalign.errors import VidalignError


class RemoteRun:
    """An engine: extracts as `extract_items` says. `outputs` None: they stay on this machine."""

    def __init__(self, inputs: RemoteInputs, outputs: RemoteOutputs | None) -> None:
        self._inputs, self._outputs = inputs, outputs

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
        """See `extract_items`; raises StoreError too, where the outputs' place cannot be reached."""
        elsewhere = frozenset[Path]()
        if self._outputs is not None and not overwrite:
            elsewhere = elsewhere.union(*(self._outputs.known(items) for _, items in plan))
        results = self._extracted(
            plan,
            overwrite=overwrite,
            retry_failed=retry_failed,
            dry_run=dry_run,
            dealing=dealing,
            elsewhere=elsewhere,
            fetched=self._inputs,
            many=partial(self._many, settings or Settings()),
            progress=progress,
        )
        if self._outputs is not None:
            if not dry_run:
                self._outputs.announce(overwrite=overwrite)
            results = self._outputs.sent([item for _, items in plan for item in items], results)
        return self._told(results)

    def _extracted(self, plan: Sequence[Planned], **how: Any) -> Generator[ItemResult, None, None]:
        try:
            return extract_items(plan, **how)
        except VidalignError as error:
            if self._outputs is not None:
                self._outputs.told(error)
            raise

    def _many(
        self, settings: Settings, works: Iterable[Work], *, progress: Progress | None = None
    ) -> Generator[Made, None, None]:
        with _Pipeline(settings, self._inputs) as pipeline:
            yield from pipeline.extract_many(works, progress)

    def _told(self, results: Generator[ItemResult, None, None]) -> Generator[ItemResult, None, None]:
        with closing(results):
            for result in results:
                yield self._inputs.told(result)


class _Pipeline(Pipeline):
    """Does not wait, at its end, for what is being fetched."""

    def __init__(self, settings: Settings, inputs: RemoteInputs) -> None:
        super().__init__(settings)
        self._inputs = inputs

    def close(self) -> None:
        """See `Pipeline.close`."""
        with self._inputs.stopped():
            super().close()

"""The local engine over URLs: videos come when they are read, outputs go when they are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vidalign.batch.extract import Begin, Planned, extract_items
from vidalign.batch.pipeline import Settings
from vidalign.batch.remote.inputs import RemoteInputs
from vidalign.batch.remote.outputs import RemoteOutputs
from vidalign.batch.report import ItemResult
from vidalign.batch.shards import Dealing


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
    ) -> Iterator[ItemResult]:
        """See `extract_items`; raises StoreError too, where the outputs' place cannot be reached."""
        elsewhere = frozenset[Path]()
        if self._outputs is not None and not overwrite:
            elsewhere = elsewhere.union(*(self._outputs.known(items) for _, items in plan))
        results = extract_items(
            plan,
            overwrite=overwrite,
            retry_failed=retry_failed,
            dry_run=dry_run,
            dealing=dealing,
            settings=settings,
            elsewhere=elsewhere,
            fetched=self._inputs,
            progress=progress,
        )
        if self._outputs is not None:
            if not dry_run:
                self._outputs.announce()
            results = self._outputs.sent([item for _, items in plan for item in items], results)
        return map(self._inputs.told, results)

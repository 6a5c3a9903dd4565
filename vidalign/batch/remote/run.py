"""Runs over URLs: files come when they are read, outputs go when they are written."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from vidalign.batch.align import Begin as BeginPair
from vidalign.batch.align import Ended, align_pairs, kept_items
from vidalign.batch.extract import Begin, Planned, extract_items
from vidalign.batch.pairs import Found
from vidalign.batch.pipeline import Made, Many, Pipeline, Progress, Settings, Work
from vidalign.batch.remote.inputs import RemoteInputs
from vidalign.batch.remote.outputs import RemoteOutputs
from vidalign.batch.report import ItemResult
from vidalign.batch.settings import AlignRun
from vidalign.batch.shards import Dealing
from vidalign.store.items import Item


class RemoteRun:
    """`outputs`, and the `kept` features of --save-features, None: they stay on this machine."""

    def __init__(
        self, inputs: RemoteInputs, outputs: RemoteOutputs | None, kept: RemoteOutputs | None = None
    ) -> None:
        self._inputs, self._outputs, self._kept = inputs, outputs, kept

    def extract(
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
        """An engine: as `extract_items`; raises StoreError too, where the outputs cannot be reached."""
        results = extract_items(
            plan,
            overwrite=overwrite,
            retry_failed=retry_failed,
            dry_run=dry_run,
            dealing=dealing,
            elsewhere=frozenset() if overwrite else self._finished_items(plan),
            files=self._inputs,
            settings=settings,
            many=self._many(settings),
            joined=partial(self._announce, overwrite=overwrite),
            progress=progress,
        )
        outputs: dict[str, list[Path]] = {}
        for item in (item for _, items in plan for item in items):
            outputs.setdefault(item.name, []).append(item.output)
        return self._extracted(results, outputs)

    def align(
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
        """As `align_pairs`; raises StoreError too, where the outputs cannot be reached."""
        kept = kept_items(found.pairs, run)
        ends = align_pairs(
            found.pairs,
            run,
            unpaired=found.failed,
            folder=found.folder,
            overwrite=overwrite,
            retry_failed=retry_failed,
            dry_run=dry_run,
            dealing=dealing,
            elsewhere=frozenset() if overwrite else self._finished_pairs(found, kept),
            settings=settings,
            many=self._many(settings),
            joined=partial(self._announce, overwrite=overwrite),
            progress=progress,
        )
        return self._aligned(ends, found, kept)

    def _announce(self, *, overwrite: bool) -> None:
        """Send the run files, those of one place once."""
        for place in dict.fromkeys(each for each in (self._outputs, self._kept) if each is not None):
            place.announce(overwrite=overwrite)

    def _finished_items(self, plan: Sequence[Planned]) -> frozenset[Path]:
        if self._outputs is None:
            return frozenset()
        rows = [items for _, items in plan if items]
        found = [
            self._outputs.known([item.output for item in items], items[0].folder, "extract") for items in rows
        ]
        return frozenset().union(*found)

    def _finished_pairs(self, found: Found, kept: dict[Path, Item]) -> frozenset[Path]:
        """Outputs, and features kept, that are there; an output alone is brought, to be looked at here."""
        finished = frozenset[Path]()
        outputs = [pair.output for pair in found.pairs if pair.output is not None]
        if self._outputs is not None and found.folder is not None:
            named = [*outputs, *(each.item.output for each in found.failed)]
            finished = self._outputs.known(named, found.folder, "align")
        elif self._outputs is not None:
            for output in outputs:
                self._outputs.bring(output)
        if self._kept is None or not kept:
            return finished
        items = list(kept.values())
        features = self._kept.known([item.output for item in items], items[0].folder, "extract")
        for path in features:
            self._inputs.add(path, self._kept.url_of(path))
        return finished | features

    def _many(self, settings: Settings | None) -> Many:
        return partial(_extract_many, settings or Settings(), self._inputs)

    def _extracted(
        self, results: Generator[ItemResult, None, None], outputs: dict[str, list[Path]]
    ) -> Generator[ItemResult, None, None]:
        with closing(results):
            for result in results:
                sent = self._outputs.sent(result, outputs[result.item]) if self._outputs else result
                yield self._inputs.retold(sent)

    def _aligned(
        self, ends: Generator[Ended, None, None], found: Found, kept: dict[Path, Item]
    ) -> Generator[Ended, None, None]:
        outputs = {each.item.name: [each.item.output] for each in found.failed}
        outputs |= {pair.name: [pair.output] for pair in found.pairs if pair.output is not None}
        inputs = {pair.name: pair.inputs for pair in found.pairs}
        features = {pair.name: [kept[pair.video].output] for pair in found.pairs if pair.video in kept}
        with closing(ends):
            for result, alignment in ends:
                name = result.item
                sent = self._sent(result, outputs.get(name, ()), features.get(name, ()))
                yield self._inputs.retold(sent, inputs.get(name, ())), alignment

    def _sent(self, result: ItemResult, outputs: Sequence[Path], features: Sequence[Path]) -> ItemResult:
        """The result, once its features are there and then its output, which says that all is done."""
        if self._kept is not None:
            if result.error is not None:
                self._kept.told(result.error)
            error = self._kept.send(features)
            if error is not None and result.error is None:
                return replace(result, status="failed", output="", error=error)
        return self._outputs.sent(result, outputs) if self._outputs and outputs else result


def _extract_many(
    settings: Settings,
    inputs: RemoteInputs,
    works: Iterable[Work],
    *,
    progress: Progress | None = None,
) -> Generator[Made, None, None]:
    with _Pipeline(settings, inputs) as pipeline:
        yield from pipeline.extract_many(works, progress)


class _Pipeline(Pipeline):
    """Does not wait, at its end, for what is being fetched."""

    def __init__(self, settings: Settings, inputs: RemoteInputs) -> None:
        super().__init__(settings)
        self._inputs = inputs

    def close(self) -> None:
        """See `Pipeline.close`."""
        with self._inputs.stopped():
            super().close()

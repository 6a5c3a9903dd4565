"""Videos -> features files, one after the other; a bad file never stops the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from vidalign.batch.boundary import attempt
from vidalign.batch.encoding import Progress, extract_together
from vidalign.batch.extraction import Extraction
from vidalign.batch.finished import finished
from vidalign.batch.outputs import check_writable
from vidalign.batch.report import ItemResult
from vidalign.errors import VidalignError
from vidalign.store.items import Item
from vidalign.types import Features

Begin = Callable[[Item], Progress]
"""Called when work on an item begins."""


class Planned(NamedTuple):
    """What one backbone does."""

    extraction: Extraction
    items: Sequence[Item]


class _Task(NamedTuple):
    """One output of one video; `end` is its result where that is known without work."""

    extraction: Extraction
    item: Item
    end: ItemResult | None


def extract_items(
    plan: Sequence[Planned],
    *,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Begin | None = None,
) -> Iterator[ItemResult]:
    """Check everything now; then, as the results are asked for, extract one video after the other.

    All plans are for the same videos in the same order; each video is decoded once for those backbones whose
    output is not finished, and what fails for one backbone is still made for the others. A result comes as
    soon as its file is on disk. Raises UsageError or one of its kind, at the call, where a model is missing,
    a folder cannot be written, or an output came from other settings (`overwrite` redoes both kinds).
    """
    for extraction, _ in plan:
        extraction.check()
    tasks = [
        [_Task(extraction, item, None if overwrite else _end_before_work(item, extraction)) for item in items]
        for extraction, items in plan
    ]
    if not dry_run:
        check_writable(task.item.output for row in tasks for task in row if task.end is None)
    return _extract_each(tasks, dry_run, progress)


def break_off_warning(video: object, decoded_until: float | None) -> str:
    """The line that tells of a video that ends before its end."""
    until = "an unknown time" if decoded_until is None else f"{decoded_until:.1f} s"
    return f"{video}: the file breaks off; its pictures end at {until}"


def _end_before_work(item: Item, extraction: Extraction) -> ItemResult | None:
    """The result of an item that needs no work or has failed already."""
    found = attempt(lambda: finished(item, extraction), item.source)
    if found is None:
        return None
    if isinstance(found, VidalignError):
        return ItemResult(item.name, "failed", str(item.source), error=found)
    return ItemResult(
        item.name, "skipped", str(item.source), str(item.output), truncated=bool(found["truncated"])
    )


def _extract_each(
    tasks: Sequence[Sequence[_Task]], dry_run: bool, progress: Begin | None
) -> Iterator[ItemResult]:
    for together in zip(*tasks, strict=True):
        due = [task for task in together if task.end is None]
        made: list[Features | VidalignError] = []
        if due and not dry_run:
            made = _extract_video(due, progress(due[0].item) if progress else None)
        for task in together:
            if task.end is not None:
                yield task.end
            elif dry_run:
                yield ItemResult(task.item.name, "planned", str(task.item.source), str(task.item.output))
            else:
                yield _written(task.item, made.pop(0))


def _extract_video(due: Sequence[_Task], progress: Progress | None) -> list[Features | VidalignError]:
    """What each task makes of the video that they share."""
    source = due[0].item.source
    if any(task.item.source != source for task in due):
        raise ValueError("plans that go together are for the same videos")
    extractions = [task.extraction for task in due]
    made = attempt(
        lambda: extract_together(source, extractions, lambda work: attempt(work, source), progress), source
    )
    return [made] * len(due) if isinstance(made, VidalignError) else made


def _written(item: Item, made: Features | VidalignError) -> ItemResult:
    """Write the features, if there are any; the result."""
    from vidalign.store.features import write_features

    failed = made if isinstance(made, VidalignError) else None
    if isinstance(made, Features):
        failed = attempt(partial(write_features, item.output, made), item.source)
    if isinstance(made, VidalignError) or failed is not None:
        return ItemResult(item.name, "failed", str(item.source), error=failed)
    broken = bool(made.truncated)
    return ItemResult(
        item.name,
        "partial" if broken else "done",
        str(item.source),
        str(item.output),
        warnings=(break_off_warning(item.source, made.decoded_until),) if broken else (),
        truncated=broken,
        details={
            "clips": len(made.features),
            "width": int(made.features.shape[1]),
            "duration": made.duration,
            "reader": made.reader,
        },
    )

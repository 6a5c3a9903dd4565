"""Videos and their subtitles -> alignment files, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from vidalign.batch.alignments import finished, write_output
from vidalign.batch.boundary import attempt
from vidalign.batch.encoding import Progress, extract_features
from vidalign.batch.extract import break_off_warning
from vidalign.batch.finished import finished as features_finished
from vidalign.batch.outputs import check_writable
from vidalign.batch.report import ItemResult
from vidalign.batch.settings import AlignRun, Inputs, Pair, read_inputs
from vidalign.batch.texts import read_texts, texts_sha256, told_as
from vidalign.batch.verdict import KNOWN_ENOUGH, summarise, vocabulary_warning
from vidalign.errors import LowConfidenceError, VidalignError
from vidalign.store.items import place
from vidalign.types import Alignment, Features

Ended = tuple[ItemResult, Alignment | None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One pair aligned; `warnings` are lines for people, `truncated` says that the video breaks off."""

    alignment: Alignment
    inputs: Inputs
    warnings: tuple[str, ...]
    truncated: bool


def align_pairs(
    pairs: Sequence[Pair],
    run: AlignRun,
    *,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Callable[[Pair], Progress] | None = None,
) -> Iterator[Ended]:
    """Check everything now; then, as the results are asked for, align one pair after the other.

    A result comes, with its alignment, as soon as its file is on disk. Raises UsageError or one of its kind,
    at the call, where a model is missing, a folder cannot be written, or an output came from other inputs or
    settings (`overwrite` redoes it, and the features kept).
    """
    run.check(words=any(pair.texts is None for pair in pairs))
    run.check_texts(pairs)
    pairs = _with_kept_features(pairs, run, renew=overwrite)
    ends = [_end_before_work(pair, run, overwrite) for pair in pairs]
    todo = [pair for pair, end in zip(pairs, ends, strict=True) if end is None]
    if any(not pair.has_features for pair in todo):
        run.extraction.check()
    if not dry_run:
        kept = [pair.kept.output for pair in todo if pair.kept is not None]
        check_writable([*kept, *(pair.output for pair in todo if pair.output is not None)])
    return _align_each(list(zip(pairs, ends, strict=True)), run, dry_run, progress)


def align_pair(pair: Pair, run: AlignRun, progress: Progress | None = None) -> Outcome:
    """Align one pair without writing its output; raises SubtitleError, VideoError, DataError, ModelError."""
    from vidalign.aligners.align import AlignSettings, align_features
    from vidalign.aligners.registry import with_texts

    inputs = read_inputs(pair, run)
    if run.weights is not None:
        _ = run.aligner
    run.check_texts([pair])
    texts = read_texts(pair)
    aligner = run.aligner if texts is None else with_texts(run.aligner, texts, told_as(pair))
    features = _features(pair, run, progress)
    settings = AlignSettings(run.decoder, run.threshold, run.windows)
    alignment = align_features(features, inputs.transcript, aligner, settings)
    card = run.card
    track = "" if pair.track is None else f" track:{pair.track}"
    alignment = replace(
        alignment,
        video=pair.video.name,
        subtitles=pair.subtitles.name + track,
        notice=f"{card.name} knows: {card.knows}",
        text_features_sha256=texts_sha256(texts),
    )
    warnings = (*inputs.transcript.warnings, *_doubts(pair, features, alignment, run))
    return Outcome(alignment, inputs, warnings, bool(features.truncated))


def _with_kept_features(pairs: Sequence[Pair], run: AlignRun, *, renew: bool) -> list[Pair]:
    """With --save-features, pairs that know where theirs lie; raises OutputMismatchError for other ones."""
    if run.save_features is None:
        return list(pairs)
    named = [(pair.video, pair.name) for pair in pairs if not pair.has_features]
    items = {item.source: item for item in place(named, run.save_features, ".h5")}
    for item in () if renew else items.values():
        attempt(partial(features_finished, item, run.extraction), item.source)
    return [
        pair if pair.has_features else replace(pair, kept=items[pair.video], renew=renew) for pair in pairs
    ]


def _end_before_work(pair: Pair, run: AlignRun, overwrite: bool) -> Ended | None:
    """The end of a pair that needs no work or has failed already."""
    found = None if overwrite else attempt(lambda: finished(pair, run), pair.video)
    if found is None:
        return None
    if isinstance(found, VidalignError):
        return ItemResult(pair.name, "failed", str(pair.video), error=found), None
    unsure = _unsure(pair, found, run)
    if unsure is not None:
        return ItemResult(pair.name, "failed", str(pair.video), error=unsure), found
    details = summarise(found).as_json()
    return ItemResult(pair.name, "skipped", str(pair.video), str(pair.output), details=details), found


def _align_each(
    plan: Sequence[tuple[Pair, Ended | None]],
    run: AlignRun,
    dry_run: bool,
    progress: Callable[[Pair], Progress] | None,
) -> Iterator[Ended]:
    for pair, end in plan:
        if end is not None:
            yield end
        elif dry_run:
            yield ItemResult(pair.name, "planned", str(pair.video), str(pair.output or "-")), None
        else:
            yield _align_item(pair, run, progress(pair) if progress else None)


def _align_item(pair: Pair, run: AlignRun, progress: Progress | None) -> Ended:
    source = str(pair.video)
    outcome = attempt(lambda: align_pair(pair, run, progress), pair.video)
    if isinstance(outcome, VidalignError):
        return ItemResult(pair.name, "failed", source, error=outcome), None
    error = _unsure(pair, outcome.alignment, run) or attempt(lambda: _write(pair, outcome, run), pair.video)
    result = ItemResult(
        pair.name,
        "failed" if error else "partial" if outcome.truncated else "done",
        source,
        "" if error else str(pair.output or ""),
        error=error,
        warnings=outcome.warnings,
        truncated=outcome.truncated,
        details=summarise(outcome.alignment).as_json(),
    )
    return result, outcome.alignment


def _write(pair: Pair, outcome: Outcome, run: AlignRun) -> None:
    if pair.output is not None:
        write_output(pair.output, outcome.alignment, outcome.inputs, run)


def _unsure(pair: Pair, alignment: Alignment, run: AlignRun) -> LowConfidenceError | None:
    confidence = summarise(alignment).confidence
    if run.min_confidence is None or confidence >= run.min_confidence:
        return None
    return LowConfidenceError(
        f"{pair.video}: confidence {confidence:.2f} is below {run.min_confidence:g}",
        hint="nothing was written; a lower --min-confidence writes it",
    )


def _features(pair: Pair, run: AlignRun, progress: Progress | None) -> Features:
    from vidalign.store.features import read_features, write_features

    if pair.ready is not None:
        return pair.ready
    if pair.features is not None:
        return read_features(pair.features)
    if pair.kept is None:
        return extract_features(pair.video, run.extraction, progress)
    if not pair.renew and features_finished(pair.kept, run.extraction) is not None:
        return read_features(pair.kept.output)
    features = extract_features(pair.video, run.extraction, progress)
    write_features(pair.kept.output, features)
    return features


def _doubts(pair: Pair, features: Features, alignment: Alignment, run: AlignRun) -> Iterator[str]:
    """Warnings about inputs and results that may not be what the user thinks."""
    if features.truncated:
        yield break_off_warning(pair.video, features.decoded_until)
    if pair.has_features and features.video is not None and Path(features.video).stem != pair.video.stem:
        yield f"{pair.video}: the features given are those of {features.video}"
    if not run.spec.backbone and features.backbone is not None:
        yield (
            f"{pair.video}: {run.card.name} was trained on features that no model here makes; "
            f"what it says of those of {features.backbone} means nothing"
        )
    if alignment.alignability_kind == "rank":
        yield (
            f"{pair.video}: alignability is only the rank within this video, "
            f"as {run.card.name} has no calibration for the scorer {alignment.scorer}"
        )
    known = None if pair.texts is not None else run.aligner.scorer.known_words(alignment.sentences)
    if known is not None and known < KNOWN_ENOUGH:
        yield f"{pair.subtitles}: {vocabulary_warning(known, run.card)}"

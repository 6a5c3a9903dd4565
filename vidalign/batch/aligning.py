"""One video and its subtitles -> an alignment, nothing written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from vidalign.batch.encoding import Progress, extract_features
from vidalign.batch.settings import AlignRun, Inputs, Pair, read_inputs
from vidalign.batch.texts import read_texts, texts_sha256, told_as
from vidalign.batch.verdict import KNOWN_ENOUGH, vocabulary_warning
from vidalign.types import Alignment, Features


@dataclass(frozen=True, slots=True)
class Outcome:
    """One pair aligned; `warnings` are lines for people, `truncated` says that the video breaks off."""

    alignment: Alignment
    inputs: Inputs
    warnings: tuple[str, ...]
    truncated: bool


def align_pair(pair: Pair, run: AlignRun, progress: Progress | None = None) -> Outcome:
    """Align one pair without writing its output; raises SubtitleError, VideoError, DataError, ModelError."""
    inputs = read_pair(pair, run)
    features = features_at_hand(pair)
    return align_with(pair, run, inputs, features or extract_features(pair.video, run.extraction, progress))


def read_pair(pair: Pair, run: AlignRun) -> Inputs:
    """What is known before the video is read; raises SubtitleError, ModelError, UsageError."""
    inputs = read_inputs(pair, run)
    if run.weights is not None:
        _ = run.aligner
    run.check_texts([pair])
    return inputs


def features_at_hand(pair: Pair) -> Features | None:
    """The features that were given with a pair, None where they are to be made; raises StoreError."""
    from vidalign.store.features import read_features

    if pair.ready is not None or pair.features is None:
        return pair.ready
    with pair.files.opened(pair.features) as path:
        return read_features(path)


def align_with(pair: Pair, run: AlignRun, inputs: Inputs, features: Features) -> Outcome:
    """Align the sentences of a pair with its features; raises DataError, ModelError, StoreError."""
    from vidalign.aligners.align import AlignSettings, align_features
    from vidalign.aligners.registry import with_texts

    texts = read_texts(pair)
    aligner = run.aligner if texts is None else with_texts(run.aligner, texts, told_as(pair))
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


def break_off_warning(video: object, decoded_until: float | None) -> str:
    """The line that tells of a video that ends before its end."""
    until = "an unknown time" if decoded_until is None else f"{decoded_until:.1f} s"
    return f"{video}: the file breaks off; its pictures end at {until}"


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

"""Videos and their subtitles -> alignment files, one after the other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vidalign.aligners.spec import aligner_spec
from vidalign.batch.boundary import attempt
from vidalign.batch.extract import Extraction, Progress, extract_features, is_done
from vidalign.batch.report import ItemResult
from vidalign.batch.verdict import summarise, vocabulary_warning
from vidalign.errors import LowConfidenceError, OutputMismatchError, VidalignError
from vidalign.store.items import Item
from vidalign.text.sentences import make_transcript
from vidalign.text.subtitles import read_subtitles
from vidalign.text.subtitles.container import read_text_track
from vidalign.types import Alignment, Features, Transcript
from vidalign.weights.cards import AlignerSpec, get_card

if TYPE_CHECKING:
    from vidalign.aligners.registry import Aligner
    from vidalign.aligners.windowing import Windowing
    from vidalign.text.subtitles import SubtitleFile

log = logging.getLogger(__name__)
Unaligned = Literal["keep", "drop", "mark"]


@dataclass(frozen=True, slots=True)
class Pair:
    """One video with its subtitles: a file, or text track `track` of the video itself.

    `features` is a features file to use instead of the video, `ready` such features in memory. `output` None:
    nothing is written.
    """

    name: str
    video: Path
    subtitles: Path
    output: Path | None
    track: int | None = None
    features: Path | None = None
    ready: Features | None = None


@dataclass(frozen=True)
class AlignRun:
    """How pairs are aligned; None means what the model's card says."""

    model: str
    scorer: str | None = None
    decoder: str | None = None
    threshold: float | None = None
    min_confidence: float | None = None
    windowing: Windowing | None = None
    segment: Literal["cue", "sentence"] = "cue"
    rolling: Literal["auto", "keep", "collapse"] = "auto"
    encoding: str | None = None
    matrix: bool = True
    unaligned: Unaligned = "keep"
    weights: Path | None = None
    device: str = "auto"
    reader: str = "auto"
    save_features: Path | None = None
    features_dtype: Literal["float16", "float32"] = "float16"

    @cached_property
    def spec(self) -> AlignerSpec:
        """The card's aligner part; raises ModelError."""
        return aligner_spec(get_card(self.model), self.scorer)

    @cached_property
    def extraction(self) -> Extraction:
        """How the features that the model needs are made."""
        return Extraction(
            backbone=self.spec.backbone,
            recipe=self.spec.recipe,
            device=self.device,
            dtype=self.features_dtype,
            reader=self.reader,
        )

    @cached_property
    def aligner(self) -> Aligner:
        """The scorer, loaded at the first use."""
        from vidalign.aligners.registry import load_aligner

        place = self.extraction.place
        return load_aligner(self.model, self.weights, scorer=self.scorer, device=place.device)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What was read of a pair before any model ran."""

    subtitles: SubtitleFile
    transcript: Transcript


def align_pairs(
    pairs: Sequence[Pair],
    run: AlignRun,
    *,
    overwrite: bool = False,
    fail_fast: bool = False,
    dry_run: bool = False,
    progress: Callable[[Pair], Progress] | None = None,
) -> Iterator[tuple[ItemResult, Alignment | None]]:
    """Align every pair and write its file; each result comes as soon as it is on disk.

    Raises UsageError or one of its kind where a model is missing, or an output came from other inputs or
    settings.
    """
    _check_models(pairs, run)
    ended = [False if overwrite else _finished_or_error(pair, run) for pair in pairs]
    for pair, end in zip(pairs, ended, strict=True):
        source, alignment = str(pair.video), None
        if isinstance(end, VidalignError):
            result = ItemResult(pair.name, "failed", source, error=end)
        elif end:
            result = ItemResult(pair.name, "skipped", source, str(pair.output))
        elif dry_run:
            result = ItemResult(pair.name, "planned", source, str(pair.output or "-"))
        else:
            result, alignment = _align_pair(pair, run, progress(pair) if progress else None)
        yield result, alignment
        if fail_fast and result.status == "failed":
            return


def _finished_or_error(pair: Pair, run: AlignRun) -> bool | VidalignError:
    return attempt(lambda: finished(pair, run), pair.video)


def align_pair(pair: Pair, run: AlignRun, progress: Progress | None = None) -> tuple[Alignment, Inputs]:
    """Align one pair without writing anything."""
    from vidalign.aligners.align import AlignSettings, align_features
    from vidalign.aligners.windowing import Windowing

    inputs = read_inputs(pair, run)
    features = _features(pair, run, progress)
    settings = AlignSettings(run.decoder, run.threshold, run.windowing or Windowing())
    alignment = align_features(features, inputs.transcript, run.aligner, settings)
    card = get_card(run.model)
    alignment = replace(
        alignment, video=features.video or pair.video.name, notice=f"{card.name} knows: {card.knows}"
    )
    warning = vocabulary_warning(run.aligner.scorer.known_words(alignment.sentences), card)
    if warning:
        log.warning("%s", warning)
    return alignment, inputs


def read_inputs(pair: Pair, run: AlignRun) -> Inputs:
    """Subtitles and transcript of a pair; warnings go to the log."""
    if pair.track is not None:
        file = read_text_track(pair.video, pair.track)
    else:
        file = read_subtitles(pair.subtitles, encoding=run.encoding, rolling=run.rolling)
    transcript = make_transcript(file, run.segment)
    for warning in transcript.warnings:
        log.warning("%s", warning)
    return Inputs(file, transcript)


def finished(pair: Pair, run: AlignRun) -> bool:
    """Whether the output is there from the same inputs and settings; raises OutputMismatchError else."""
    if pair.output is None or not pair.output.exists():
        return False
    way_out = "choose another output, or redo it with --overwrite"
    if pair.output.suffix not in (".h5", ".json"):
        raise OutputMismatchError(f"{pair.output} exists and does not say how it was made", hint=way_out)
    from vidalign.store.alignments import read_alignment

    found = read_alignment(pair.output)
    differences = [
        f"{name} {there} there, {now} now" for name, there, now in _settings(found, pair, run) if there != now
    ]
    cues = [(c.id, c.start, c.end, c.text) for c in read_inputs(pair, run).transcript.cues]
    if [(c.id, c.start, c.end, c.text) for c in found.cues] != cues:
        differences.append("other cues")
    if differences:
        raise OutputMismatchError(f"{pair.output} was made otherwise: {'; '.join(differences)}", hint=way_out)
    return True


def _settings(found: Alignment, pair: Pair, run: AlignRun) -> Iterator[tuple[str, Any, Any]]:
    from dataclasses import asdict

    from vidalign.weights.cache import file_sha256, hash_file

    spec = run.spec
    yield "model", found.model, run.model
    yield "scorer", found.scorer, spec.scorer
    yield "decoder", found.decoder, run.decoder or spec.decoder
    role, card = ("backbone", spec.backbone) if spec.scorer == "similarity" else ("aligner", run.model)
    yield "weights", found.weights_sha256, hash_file(run.weights) if run.weights else file_sha256(card, role)
    if run.threshold is not None:
        yield "threshold", found.threshold, run.threshold
    if run.windowing is not None and spec.scorer != "similarity":
        yield "windowing", dict(found.windowing), asdict(run.windowing)


def _check_models(pairs: Sequence[Pair], run: AlignRun) -> None:
    from vidalign.aligners.decoders import get_decoder
    from vidalign.weights.cache import locate

    card = get_card(run.model)
    get_decoder(run.decoder or run.spec.decoder)
    if run.spec.scorer != "similarity":
        for file in card.files:
            if run.weights is None or file.role != "aligner":
                locate(card, file.role)
    if run.spec.scorer == "similarity" or any(pair.features is None for pair in pairs):
        run.extraction.check()


def _align_pair(pair: Pair, run: AlignRun, progress: Progress | None) -> tuple[ItemResult, Alignment | None]:
    def work() -> Alignment:
        alignment, inputs = align_pair(pair, run, progress)
        summary = summarise(alignment)
        if run.min_confidence is not None and summary.confidence < run.min_confidence:
            raise LowConfidenceError(
                f"{pair.video}: confidence {summary.confidence:.2f} is below {run.min_confidence:g}",
                hint="nothing was written; a lower --min-confidence writes it",
            )
        if pair.output is not None:
            write_output(pair.output, alignment, inputs, run)
        return alignment

    alignment = attempt(work, pair.video)
    source = str(pair.video)
    if isinstance(alignment, VidalignError):
        return ItemResult(pair.name, "failed", source, error=alignment), None
    details = summarise(alignment).as_json()
    return ItemResult(pair.name, "done", source, str(pair.output or ""), details=details), alignment


def write_output(output: Path, alignment: Alignment, inputs: Inputs, run: AlignRun) -> None:
    """Write by suffix: .h5 and .json hold everything, .vtt and .srt the re-timed subtitles."""
    from vidalign.store.alignments import write_alignment
    from vidalign.store.atomic import atomic_path
    from vidalign.text.sentences import retime_cues
    from vidalign.text.subtitles.write import write_subtitles

    if output.suffix in (".h5", ".json"):
        write_alignment(output, alignment, matrix=run.matrix)
        return
    times = retime_cues(inputs.transcript, alignment.aligned.tolist(), alignment.segments.tolist())
    text = write_subtitles(inputs.subtitles, times, output.suffix[1:], unaligned=run.unaligned)
    with atomic_path(output) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def _features(pair: Pair, run: AlignRun, progress: Progress | None) -> Features:
    from vidalign.store.features import read_features, write_features

    if pair.ready is not None:
        return pair.ready
    if pair.features is not None:
        return read_features(pair.features)
    if run.save_features is None:
        return extract_features(pair.video, run.extraction, progress)
    item = Item(pair.video, pair.name, run.save_features / Path(pair.name).with_suffix(".h5"))
    if is_done(item, run.extraction):
        return read_features(item.output)
    features = extract_features(pair.video, run.extraction, progress)
    write_features(item.output, features)
    return features

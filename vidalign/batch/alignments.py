"""Alignment outputs: whether one is there already, and how one is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vidalign.batch.outputs import WAY_OUT, in_the_way
from vidalign.batch.settings import AlignRun, Inputs, Pair, read_inputs
from vidalign.batch.texts import read_texts, texts_sha256
from vidalign.errors import OutputMismatchError
from vidalign.types import Alignment, Cue

HOLDS_ALL = (".h5", ".json")
"""Suffixes of outputs that say how they were made."""


def finished(pair: Pair, run: AlignRun) -> Alignment | None:
    """The output made from the same inputs and settings, None where there is none.

    Raises OutputMismatchError, saying the differences, where the output came from others.
    """
    from vidalign.store.alignments import read_alignment

    if pair.output is None or not pair.output.exists():
        return None
    if pair.output.suffix.lower() not in HOLDS_ALL:
        raise OutputMismatchError(
            f"{pair.output} is there already and does not say how it was made", hint=WAY_OUT
        )
    with in_the_way():
        found = read_alignment(pair.output)
    settings = _settings(found, pair, run)
    differences = [f"{name}: {there} / {now}" for name, there, now in settings if there != now]
    transcript = read_inputs(pair, run).transcript
    if _said(found.cues) != _said(transcript.cues) or found.sentences != transcript.sentences:
        differences.append("other sentences")
    if differences:
        raise OutputMismatchError(
            f"{pair.output} was made otherwise (there / now: {'; '.join(differences)})", hint=WAY_OUT
        )
    return found


def write_output(output: Path, alignment: Alignment, inputs: Inputs, run: AlignRun) -> None:
    """Write by suffix: .h5 and .json hold everything, .vtt and .srt the re-timed subtitles."""
    from vidalign.store.alignments import write_alignment
    from vidalign.store.atomic import write_text
    from vidalign.text.sentences import retime_cues
    from vidalign.text.subtitles.write import write_subtitles

    suffix = output.suffix.lower()
    if suffix in HOLDS_ALL:
        write_alignment(output, alignment, matrix=run.matrix)
        return
    times = retime_cues(inputs.transcript, alignment.aligned.tolist(), alignment.segments.tolist())
    write_text(output, write_subtitles(inputs.subtitles, times, suffix[1:], unaligned=run.unaligned))


def _settings(found: Alignment, pair: Pair, run: AlignRun) -> Iterator[tuple[str, Any, Any]]:
    """Name, value in the file, value now."""
    from vidalign.aligners.calibrate import threshold_of
    from vidalign.aligners.decoders import get_decoder

    spec = run.spec
    decoder = get_decoder(run.decoder or spec.decoder)
    yield "video", found.video, pair.video.name
    yield from _made_from(found, pair, run)
    yield "model", found.model, run.card.name
    yield "scorer", found.scorer, spec.scorer
    if spec.scorer == "similarity":
        yield "score", found.score, spec.config["score"]
    yield "decoder", found.decoder, decoder.written
    yield "weights", found.weights_sha256, run.weights_sha256
    yield "threshold", found.threshold, threshold_of(spec.calibration, run.threshold, drops=decoder.drops)
    yield "matrix", found.similarity is not None, run.matrix
    if spec.scorer != "similarity":
        yield "windowing", dict(found.windowing), run.windowing_told


def _made_from(found: Alignment, pair: Pair, run: AlignRun) -> Iterator[tuple[str, Any, Any]]:
    """The features, or the video and backbone, that the output came from; what it does not say is passed."""
    from vidalign.store.features import content_sha256, read_features

    yield "text features", found.text_features_sha256, texts_sha256(read_texts(pair))
    if pair.features is not None:
        if found.features_sha256 is not None:
            yield "features", found.features_sha256, content_sha256(read_features(pair.features))
        return
    if found.video_size is not None and pair.video.is_file():
        yield "video_size", found.video_size, pair.video.stat().st_size
    if found.features_weights_sha256 is not None:
        yield "backbone weights", found.features_weights_sha256, run.extraction.weights_sha256


def _said(cues: tuple[Cue, ...]) -> list[tuple[object, ...]]:
    """What alignment files keep of cues."""
    return [(cue.id, cue.start, cue.end, cue.text) for cue in cues]

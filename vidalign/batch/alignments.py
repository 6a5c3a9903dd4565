"""Alignment outputs: whether one is there already, and how one is written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vidalign.batch.finished import size_of
from vidalign.batch.outputs import WAY_OUT, check_same, in_the_way
from vidalign.batch.settings import AlignRun, Inputs, Pair, read_inputs
from vidalign.batch.texts import read_texts, texts_sha256
from vidalign.errors import OutputMismatchError
from vidalign.types import Alignment, Cue

HOLDS_ALL = (".h5", ".json")
"""Suffixes of outputs that say how they were made."""


def finished(pair: Pair, run: AlignRun) -> Alignment | None:
    """The output made from the same inputs and settings, None where there is none.

    Raises OutputMismatchError, saying the differences, where the output came from other settings, StaleError
    where only the inputs are others.
    """
    from vidalign.store.alignments import read_alignment

    if pair.output is None or not os.path.lexists(pair.output):
        return None
    if pair.output.suffix.lower() not in HOLDS_ALL:
        raise OutputMismatchError(
            f"{pair.output} is there already and does not say how it was made", hint=WAY_OUT
        )
    with in_the_way():
        found = read_alignment(pair.output)
    settings = _differences(_settings(found, run, extracts=pair.features is None))
    inputs = _differences(_inputs(found, pair))
    transcript = read_inputs(pair, run).transcript
    if _said(found.cues) != _said(transcript.cues):
        inputs.append("other sentences")
    elif found.sentences != transcript.sentences:
        settings.append("other sentences")
    check_same(pair.output, settings, inputs)
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


def _differences(values: Iterable[tuple[str, Any, Any]]) -> list[str]:
    return [f"{name}: {there} / {now}" for name, there, now in values if there != now]


def _settings(found: Alignment, run: AlignRun, *, extracts: bool) -> Iterator[tuple[str, Any, Any]]:
    """Name, value in the file, value now."""
    from vidalign.aligners.calibrate import threshold_of
    from vidalign.aligners.decoders import get_decoder

    spec = run.spec
    decoder = get_decoder(run.decoder or spec.decoder)
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
    if extracts and found.features_weights_sha256 is not None:
        yield "backbone weights", found.features_weights_sha256, run.extraction.weights_sha256


def _inputs(found: Alignment, pair: Pair) -> Iterator[tuple[str, Any, Any]]:
    """The video, and the features where they are given, that the output came from, as `_settings` does;
    what it does not say is passed.
    """
    from vidalign.store.features import content_sha256, read_features

    yield "video", found.video, pair.video.name
    yield "text features", found.text_features_sha256, texts_sha256(read_texts(pair))
    if pair.features is not None:
        if found.features_sha256 is not None:
            with pair.files.opened(pair.features) as path:
                yield "features", found.features_sha256, content_sha256(read_features(path))
        return
    size = size_of(pair.video)
    if None not in (found.video_size, size):
        yield "video_size", found.video_size, size


def _said(cues: tuple[Cue, ...]) -> list[tuple[object, ...]]:
    """What alignment files keep of cues."""
    return [(cue.id, cue.start, cue.end, cue.text) for cue in cues]

"""The two verbs for Python: one video at a time, nothing written, errors raised."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vidalign.batch.aligning import align_pair
from vidalign.batch.encoding import extract_features
from vidalign.batch.extraction import Dtype, Extraction, Runtime, default_backbone
from vidalign.batch.pairs import single_pair
from vidalign.batch.pooling import Pooling
from vidalign.batch.settings import AlignRun
from vidalign.types import Alignment, Features, TextFeatures
from vidalign.weights.defaults import default_model

if TYPE_CHECKING:
    from vidalign.aligners.windowing import Mode
    from vidalign.text.sentences import Segmentation
    from vidalign.text.subtitles import Rolling

log = logging.getLogger(__name__)

StrPath = str | os.PathLike[str]


def extract(
    video: StrPath,
    *,
    backbone: str | None = None,
    recipe: StrPath | None = None,
    weights: StrPath | None = None,
    device: str = "auto",
    dtype: Dtype = "float16",
    reader: str = "auto",
    gvf: Pooling | None = None,
    runtime: Runtime = "auto",
    compiled: bool = False,
) -> Features:
    """The features of one video, by default with the backbone that the default model needs.

    `recipe` is a name or a YAML file, `weights` a checkpoint; `gvf` pools all clips into one row. `runtime`
    auto is torch; `compiled` has torch compile the network. Raises VideoError, ModelError, ConfigError.
    """
    name = backbone or default_backbone()
    checkpoint = None if weights is None else Path(weights)
    extraction = Extraction(
        name, recipe, checkpoint, device, dtype, reader, gvf, runtime=runtime, compiled=compiled
    )
    extraction.check_runtime()
    return extract_features(Path(video), extraction)


def align(
    video: StrPath,
    subtitles: StrPath | None = None,
    *,
    features: Features | StrPath | None = None,
    text_features: TextFeatures | StrPath | None = None,
    model: str | None = None,
    weights: StrPath | None = None,
    scorer: str | None = None,
    decoder: str | None = None,
    threshold: float | None = None,
    windowing: Mode = "overlap",
    margin: float = 64.0,
    segment: Segmentation = "cue",
    rolling: Rolling = "auto",
    encoding: str | None = None,
    device: str = "auto",
    reader: str = "auto",
) -> Alignment:
    """Align the sentences of `subtitles` with one video, as `vidalign align` does.

    `subtitles` is a file, `track:N`, or None: beside or inside the video. `features`, a file or in memory,
    spare the extraction; `text_features` stand for the words of sentences. `decoder` is NAME or
    NAME:KEY=VALUE,KEY=VALUE. None elsewhere: what the model's card says. Doubts are logged as warnings.
    Raises VideoError, SubtitleError, DataError, ModelError, UsageError.
    """
    run = AlignRun(
        model=model or default_model(),
        scorer=scorer,
        decoder=decoder,
        threshold=threshold,
        windowing=windowing,
        margin=margin,
        segment=segment,
        rolling=rolling,
        encoding=encoding,
        weights=None if weights is None else Path(weights),
        device=device,
        reader=reader,
    )
    given = None if subtitles is None else os.fspath(subtitles)
    file = None if features is None or isinstance(features, Features) else Path(features)
    pair = single_pair(Path(video), given, "-", file)
    if isinstance(features, Features):
        pair = replace(pair, ready=features)
    if text_features is not None:
        given_texts = text_features if isinstance(text_features, TextFeatures) else Path(text_features)
        pair = replace(pair, texts=given_texts)
    outcome = align_pair(pair, run)
    for warning in outcome.warnings:
        log.warning("%s", warning)
    return outcome.alignment

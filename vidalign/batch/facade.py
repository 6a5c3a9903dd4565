"""The two verbs for Python: one video at a time, nothing written, errors raised."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from vidalign.batch.align import AlignRun, align_pair
from vidalign.batch.extract import Dtype, Extraction, extract_features
from vidalign.batch.pairs import single_pair
from vidalign.types import Alignment, Features
from vidalign.weights.cards import get_card
from vidalign.weights.defaults import default_model

StrPath = str | os.PathLike[str]


def extract(
    video: StrPath,
    *,
    backbone: str | None = None,
    recipe: str | None = None,
    weights: StrPath | None = None,
    device: str = "auto",
    dtype: Dtype = "float16",
    reader: str = "auto",
) -> Features:
    """The features of one video, by default with the backbone that the default model needs.

    `recipe` is a name or a YAML file, `weights` a checkpoint. Raises VideoError, ModelError, ConfigError.
    """
    if backbone is None:
        aligner = get_card(default_model()).aligner
        backbone = aligner.backbone if aligner else default_model()
    checkpoint = None if weights is None else Path(weights)
    return extract_features(Path(video), Extraction(backbone, recipe, checkpoint, device, dtype, reader))


def align(
    video: StrPath,
    subtitles: StrPath | None = None,
    *,
    features: Features | StrPath | None = None,
    model: str | None = None,
    **settings: Any,
) -> Alignment:
    """Align the sentences of `subtitles` with one video, as `vidalign align` does.

    `subtitles` is a file, `track:N`, or None: beside or inside the video. `features` spares the extraction.
    `settings` are the fields of `vidalign.batch.align.AlignRun`. Raises VideoError, SubtitleError, DataError,
    ModelError.
    """
    given = None if subtitles is None else os.fspath(subtitles)
    if isinstance(features, Features):
        pair = replace(single_pair(Path(video), given, "-", None), ready=features)
    else:
        pair = single_pair(Path(video), given, "-", None if features is None else Path(features))
    alignment, _ = align_pair(pair, AlignRun(model=model or default_model(), **settings))
    return alignment

"""Global video features: one pooled vector a video, made by `vidalign extract --gvf max`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidalign.errors import ConfigError, DataError
from vidalign.evaluation.files import features_files
from vidalign.store.features import read_features
from vidalign.types import Features

_HINT = "vidalign extract VIDEOS -o DIR --gvf max makes them"


def read_gvf(folder: Path, videos: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """The global feature (D,) of each video, all made alike.

    Raises ConfigError where one is missing, DataError where a file is not pooled or made otherwise.
    """
    if not folder.is_dir():
        raise ConfigError(f"gvf: there is no folder {folder}", hint=_HINT)
    files = features_files(folder)
    paths = {video: files.find(video) for video in videos}
    missing = [video for video, path in paths.items() if path is None]
    if missing:
        others = f", nor of {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ConfigError(f"{folder} has no global feature of {missing[0]}{others}", hint=_HINT)
    found: dict[str, NDArray[np.float32]] = {}
    first: tuple[Path, Features] | None = None
    for video, path in paths.items():
        assert path is not None
        features = read_features(path)
        first = first or (path, features)
        _check_alike(path, features, *first)
        found[video] = features.features[0].astype(np.float32)
    return found


def _check_alike(path: Path, features: Features, other: Path, like: Features) -> None:
    if features.pooling is None or len(features.features) != 1:
        raise DataError(f"{path} holds {len(features.features)} clips, not one global feature", hint=_HINT)
    for name in ("pooling", "backbone", "weights_sha256"):
        here, there = getattr(features, name), getattr(like, name)
        if here != there:
            raise DataError(
                f"{path} has {name} {here}, {other} has {there}", hint="extract one of them again"
            )
    if features.features.shape != like.features.shape:
        raise DataError(f"{path} and {other} have global features of different widths")

"""A folder of features and a list of labels become the videos of few-shot episodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidalign.errors import DataError, VidalignError
from vidalign.evaluation.fewshot import spread
from vidalign.evaluation.files import NamedFiles, csv_table, read_text
from vidalign.evaluation.leftout import LeftOut, Progress, silent
from vidalign.store.features import read_features

_COLUMNS = ("video", "label")
_HINT = "expected: a CSV with the columns video,label"


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Unit vectors (T, D) of each video, its label, and the videos left out."""

    videos: tuple[NDArray[np.float64], ...]
    labels: tuple[str, ...]
    missing: tuple[str, ...]
    failed: Mapping[str, VidalignError]


def read_labels(path: Path) -> dict[str, str]:
    """The label of each video, from a CSV with the columns video,label; raises DataError."""
    columns, rows = csv_table(read_text(path), path, _HINT)
    absent = [name for name in _COLUMNS if name not in columns]
    if absent:
        raise DataError(f"{path}:1: there is no column {absent[0]!r}", hint=_HINT)
    labels: dict[str, str] = {}
    for where, row in rows:
        video, label = ((row[name] or "").strip() for name in _COLUMNS)
        if not video or not label:
            raise DataError(f"{where}: a video and a label are needed", hint=_HINT)
        if labels.setdefault(video, label) != label:
            raise DataError(f"{where}: {video} has two labels, {labels[video]} and {label}")
    if not labels:
        raise DataError(f"{path} has no video", hint=_HINT)
    return labels


def read_labelled(
    labels: Mapping[str, str],
    files: NamedFiles,
    *,
    clips: int,
    progress: Progress = silent,
) -> Labelled:
    """`clips` clips of each video (0: all); a bad file does not stop the others.

    Raises DataError where not one is left.
    """
    videos: dict[str, NDArray[np.float64]] = {}
    left = LeftOut()
    for video, path in left.paths(labels, files, progress):
        with left.bad(video):
            found = spread(_values(path), clips)
            _check_width(found, videos)
            videos[video] = found
    if not videos:
        raise left.why(DataError("there are features for none of the videos"))
    return Labelled(
        tuple(videos.values()), tuple(labels[v] for v in videos), tuple(left.missing), left.failed
    )


def _values(path: Path) -> NDArray[np.floating]:
    values = read_features(path).features
    if values.ndim != 2 or not values.size:
        raise DataError(f"the features have shape {values.shape}, not (clips, width)")
    if not np.isfinite(values).all():
        raise DataError("the features hold NaN or infinity", hint="extract them again")
    return values


def _check_width(found: NDArray[np.float64], videos: Mapping[str, NDArray[np.float64]]) -> None:
    first = next(iter(videos.values()), found)
    if found.shape[1] != first.shape[1]:
        raise DataError(
            f"the features are {found.shape[1]} wide, those of {next(iter(videos))} {first.shape[1]}",
            hint="extract all with one backbone and layer",
        )

"""Features that other tools made become features files, with the recipe that the user says they follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidalign._version import __version__
from vidalign.batch.boundary import attempt
from vidalign.batch.export import put
from vidalign.batch.foreign import looking_first
from vidalign.batch.report import ItemResult, Status
from vidalign.errors import DataError, UsageError, VidalignError
from vidalign.outside import load_json
from vidalign.store.exports.formats import FeaturesFormat, Rows
from vidalign.store.features import write_features
from vidalign.store.items import name_below
from vidalign.types import Features, Recipe
from vidalign.weights.cards import BackboneSpec


@dataclass(frozen=True, slots=True)
class Stated:
    """What the user says of the features: how they were cut, by which backbone (None: unknown).

    `durations` are the seconds that each video lasts, for recipes that take every frame of the stream.
    """

    layout: str
    recipe: Recipe
    backbone: str | None = None
    spec: BackboneSpec | None = None
    durations: Mapping[str, float] | None = None


def read_durations(path: Path) -> dict[str, float]:
    """Seconds by video of a JSON file: {video: seconds}, or {video: {"duration": seconds, ...}}.

    The second is how ActivityNet Captions is published. Raises DataError where it is neither.
    """
    try:
        loaded = load_json(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as JSON: {error}") from None
    found: dict[str, float] = {}
    for video, value in loaded.items() if isinstance(loaded, dict) else ():
        seconds = value.get("duration") if isinstance(value, dict) else value
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < inf:
            raise DataError(f"{path}: {video!r} has no duration in seconds, but {seconds!r}")
        found[str(video)] = float(seconds)
    if not found:
        raise DataError(f"{path}: no durations in it", hint='expected: {"video": seconds, ...}')
    return found


def find_layout_files(given: Iterable[Path], form: FeaturesFormat) -> list[tuple[Path, str]]:
    """Files given and, below folders, those with a suffix of the layout; each with its name without it."""
    found: dict[Path, str] = {}
    for path in given:
        if not path.is_dir():
            found.setdefault(path, _without(path.name, form.reads) or path.stem)
            continue
        below = {
            file: _without(name_below(file, path), form.reads)
            for file in sorted(path.rglob("*"))
            if file.is_file() and not file.name.startswith(".") and _without(file.name, form.reads)
        }
        if not below:
            raise UsageError(f"no {' or '.join(form.reads)} file in the folder {path}", hint="check --preset")
        found |= {file: name or file.stem for file, name in below.items()}
    return list(found.items())


def import_files(
    files: Iterable[tuple[Path, str]],
    form: FeaturesFormat,
    stated: Stated,
    folder: Path,
    *,
    key: str | None = None,
    overwrite: bool = False,
) -> Iterator[ItemResult]:
    """One features file a video below `folder`; a file that cannot be read fails alone.

    Raises OutputMismatchError where an output of other content is in the way, unless `overwrite`, UsageError
    where nobody can know the times of the rows.
    """
    if stated.recipe.fps == "native" and stated.durations is None:
        raise UsageError(
            f"recipe {stated.recipe.name!r} takes every frame of a video, so nothing says when its rows are",
            hint="say how long each video lasts, by --durations FILE, or use a recipe with a number of fps",
        )
    written: dict[Path, Path] = {}
    with looking_first():
        for path, name in files:
            rows = _all_rows(path, name, form, key)
            while (found := attempt(lambda: next(rows, None), path)) is not None:  # noqa: B023
                if isinstance(found, VidalignError):
                    yield ItemResult(name, "failed", str(path), error=found)
                    break
                video, values = found
                output = attempt(lambda: _output(folder, video, path, written), path)  # noqa: B023
                if isinstance(output, VidalignError):
                    yield ItemResult(name, "failed", str(path), error=output)
                    continue
                yield _import(path, video, values, stated, output, overwrite)


def _output(folder: Path, video: str, path: Path, written: dict[Path, Path]) -> Path:
    """Where a video of the file `path` goes; raises DataError outside the folder, UsageError where another's
    went there.
    """
    output = _inside(folder, video)
    if output in written:
        raise UsageError(
            f"{path} and {written[output]} both hold {video}", hint="import them into two folders"
        )
    written[output] = path
    return output


def as_features(rows: Rows, stated: Stated, name: str) -> Features:
    """The rows with the times they have, else those of the recipe: row i covers a clip from i * stride.

    Raises DataError where they do not fit the backbone, or the video called `name` has no duration.
    """
    width = rows.values.shape[1]
    if stated.spec is not None:
        expected = stated.spec.layers.get(stated.recipe.layer)
        if expected != width:
            raise DataError(
                f"the features are {width} wide, but layer {stated.recipe.layer} of {stated.backbone} is "
                f"{expected}"
            )
    times = _times(len(rows.values), stated, name) if rows.times is None else rows.times
    return Features(
        features=rows.values,
        times=times,
        backbone=stated.backbone,
        recipe=stated.recipe,
        reader=f"imported from {stated.layout}",
        video=rows.video,
        vidalign_version=__version__,
    )


def _import(path: Path, video: str, rows: Rows, stated: Stated, output: Path, overwrite: bool) -> ItemResult:
    def work() -> bool:
        features = as_features(rows, stated, video)
        return put(output, lambda temporary: write_features(temporary, features), overwrite=overwrite)

    outcome = attempt(work, path)
    if isinstance(outcome, VidalignError):
        return ItemResult(video, "failed", str(path), error=outcome)
    warnings = () if np.isfinite(rows.values).all() else (f"{path}: {video} holds NaN or infinity",)
    status: Status = "done" if outcome else "skipped"
    details = {"clips": len(rows.values), "width": int(rows.values.shape[1])}
    return ItemResult(video, status, str(path), str(output), warnings=warnings, details=details)


def _all_rows(path: Path, name: str, form: FeaturesFormat, key: str | None) -> Iterator[tuple[str, Rows]]:
    if form.read is None:
        raise UsageError("this layout can be written but not read")
    return form.read(path, name, key)


def _times(clips: int, stated: Stated, name: str) -> NDArray[np.float64]:
    recipe = stated.recipe
    if recipe.sampling != "stride":
        raise UsageError(f"recipe {recipe.name!r} makes one row a video; these files have rows at times")
    if recipe.fps == "native":
        stride, covered = _spread(clips, recipe, (stated.durations or {}).get(name), name)
    else:
        stride, covered = float(recipe.stride_seconds), float(recipe.clip_seconds)
    starts = np.arange(clips, dtype=np.float64) * stride
    return np.stack([starts, starts + covered], axis=1)


def _spread(clips: int, recipe: Recipe, seconds: float | None, name: str) -> tuple[float, float]:
    """Seconds between clips and of a clip such that clips by the frame fill a video of that many seconds."""
    if seconds is None:
        raise DataError(f"no duration of {name} is given")
    if recipe.stride_unit != "frames":
        raise UsageError(f"recipe {recipe.name!r} has clips in frames, but a stride in seconds")
    length = recipe.frames * recipe.step
    period = seconds / (recipe.stride * (clips - 1) + length)
    return recipe.stride * period, length * period


def _inside(folder: Path, name: str) -> Path:
    """The output for a name out of somebody's file, which must not lead out of the folder."""
    parts = [part for part in name.split("/") if part]
    if not parts or ".." in parts or "\0" in name:
        raise DataError(f"{name!r} is no name for a file below {folder}", hint="it would lead out of it")
    return folder.joinpath(*parts[:-1], f"{parts[-1]}.h5")


def _without(name: str, suffixes: Iterable[str]) -> str:
    """The name without the first suffix that fits, "" where none does."""
    return next((name[: -len(end)] for end in suffixes if name.lower().endswith(end)), "")

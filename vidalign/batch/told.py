"""The settings that a run file holds, of a run or as an output tells them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidalign.batch.runfile import First
from vidalign.errors import StoreError
from vidalign.types import Recipe

if TYPE_CHECKING:
    from vidalign.batch.extraction import Extraction
    from vidalign.batch.settings import AlignRun

ALIGNMENT = ".align.h5"


def of_extraction(extraction: Extraction) -> dict[str, Any]:
    """What decides how features come out; raises ModelError or ConfigError as the extraction does."""
    return {
        "backbone": extraction.card.name,
        "recipe": _plain(extraction.resolved_recipe),
        "weights_sha256": extraction.weights_sha256,
        "precision": extraction.place.precision,
        "dtype": extraction.dtype,
        "gvf": extraction.gvf,
        "runtime": extraction.runtime_family,
    }


def of_alignments(run: AlignRun, *, extracts: bool) -> dict[str, Any]:
    """What decides how alignments come out; with `extracts` also how the features on the way do."""
    from vidalign.aligners.calibrate import threshold_of
    from vidalign.aligners.decoders import get_decoder

    spec = run.spec
    decoder = get_decoder(run.decoder or spec.decoder)
    settings = {
        "model": run.card.name,
        "scorer": spec.scorer,
        "decoder": decoder.written,
        "weights_sha256": run.weights_sha256,
        "threshold": threshold_of(spec.calibration, run.threshold, drops=decoder.drops),
        "matrix": run.matrix,
        "segment": run.segment,
        "rolling": run.rolling,
    }
    if spec.scorer != "similarity":
        settings["windowing"] = run.windowing_told
    if extracts:
        held = of_extraction(run.extraction)
        settings |= {key: held[key] for key in ("backbone", "recipe", "precision", "runtime")}
        settings["backbone_weights_sha256"] = held["weights_sha256"]
    return settings


def first_features(outputs: Iterable[Path]) -> First:
    """Looks for a features file where outputs go, and says how it was made."""
    return lambda: _first(outputs, ".h5", of_features)


def first_alignment(outputs: Iterable[Path]) -> First:
    """Looks for an alignment where outputs go, and says how it was made."""
    return lambda: _first(outputs, ALIGNMENT, of_alignment)


def _first(
    outputs: Iterable[Path], suffix: str, told: Callable[[Path], dict[str, Any]]
) -> tuple[Path, dict[str, Any]] | None:
    """The first file that can be read; what is damaged or another program's says nothing."""
    for path in _beside(outputs):
        if path.name.endswith(suffix) and path.name.endswith(ALIGNMENT) == (suffix == ALIGNMENT):
            try:
                settings = told(path)
            except StoreError:
                continue
            return path, {key: value for key, value in settings.items() if value is not None or key == "gvf"}
    return None


def _beside(outputs: Iterable[Path]) -> Iterator[Path]:
    """The files in the folders of outputs, sorted, each folder once."""
    for folder in dict.fromkeys(output.parent for output in outputs):
        if folder.is_dir():
            yield from sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def of_features(path: Path) -> dict[str, Any]:
    """What a features file tells of its making, with `video_size` and `truncated`; raises StoreError."""
    from vidalign.store.features import read_features_attributes

    found = read_features_attributes(path)
    wanted = ("backbone", "weights_sha256", "precision", "dtype", "video_size", "truncated")
    family = None if found["runtime"] is None else str(found["runtime"]).partition(" ")[0]
    settings = {key: found[key] for key in wanted}
    return {**settings, "recipe": _plain(found["recipe"]), "gvf": found["pooling"], "runtime": family}


def of_alignment(path: Path) -> dict[str, Any]:
    """What an alignment tells of its making, with `video_size` and `truncated`; raises StoreError."""
    from vidalign.store.alignments import read_alignment

    found = read_alignment(path)
    return {
        "model": found.model,
        "scorer": found.scorer,
        "decoder": found.decoder,
        "weights_sha256": found.weights_sha256,
        "threshold": found.threshold,
        "matrix": found.similarity is not None,
        "windowing": dict(found.windowing) or None,
        "recipe": _plain(found.features_recipe),
        "backbone_weights_sha256": found.features_weights_sha256,
        "video_size": found.video_size,
        "truncated": None,
    }


def _plain(recipe: Recipe | None) -> Mapping[str, Any] | None:
    return None if recipe is None else json.loads(recipe.to_json())

"""Videos -> features files, one after the other; a bad file never stops the rest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vidalign._version import __version__
from vidalign.batch.boundary import attempt
from vidalign.batch.device import Place, choose_place
from vidalign.batch.report import ItemResult, Status
from vidalign.errors import ConfigError, ModelError, OutputMismatchError, VidalignError, VideoError
from vidalign.store.items import Item
from vidalign.types import Features, Recipe
from vidalign.weights.cache import file_sha256, hash_file, locate
from vidalign.weights.cards import get_card
from vidalign.weights.recipes import get_recipe

if TYPE_CHECKING:
    from vidalign.backbones.registry import Backbone
    from vidalign.video.protocol import VideoReader

log = logging.getLogger(__name__)

Dtype = Literal["float16", "float32"]
Progress = Callable[[float, float | None], None]
"""Called with the seconds of video done and the video's length in seconds, if known."""

AHEAD = 8
"""Clips decoded in front of the model."""


@dataclass(frozen=True)
class Extraction:
    """How features are made.

    `recipe` is a name or a YAML file, `weights` a checkpoint file; None: what the card says.
    """

    backbone: str
    recipe: str | None = None
    weights: Path | None = None
    device: str = "auto"
    dtype: Dtype = "float16"
    reader: str = "auto"

    @cached_property
    def resolved_recipe(self) -> Recipe:
        """The recipe; raises ConfigError or ModelError before any video is opened."""
        card = get_card(self.backbone)
        if card.backbone is None:
            raise ModelError(f"model {card.name!r} is not a backbone", hint="see `vidalign models list`")
        recipe = card.backbone.recipe if self.recipe is None else get_recipe(self.recipe)
        if recipe.layer not in card.backbone.layers:
            layers = ", ".join(card.backbone.layers)
            raise ConfigError(
                f"recipe {recipe.name!r} asks for layer {recipe.layer!r}, which {card.name} has not",
                hint=f"layers: {layers}",
            )
        return recipe

    @cached_property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights file; raises ModelError where it is missing."""
        if self.weights is not None:
            return hash_file(self.weights)
        locate(get_card(self.backbone), "backbone")
        return file_sha256(get_card(self.backbone), "backbone")

    @cached_property
    def place(self) -> Place:
        """Device and precision."""
        return choose_place(self.device)

    @cached_property
    def model(self) -> Backbone:
        """The network, loaded at the first use."""
        from vidalign.backbones.registry import load_backbone

        return load_backbone(
            self.backbone, self.weights, recipe=self.resolved_recipe, device=self.place.device
        )

    def check(self) -> None:
        """Raise what a wrong model, recipe, weights file or device would raise later."""
        _ = self.resolved_recipe, self.weights_sha256, self.place


def extract_features(video: Path, extraction: Extraction, progress: Progress | None = None) -> Features:
    """The features of one video; raises VideoError where there is no picture to read or not one clip."""
    import numpy as np

    from vidalign.backbones.encode import encode
    from vidalign.batch.prefetch import prefetch
    from vidalign.video.clips import cut_clips
    from vidalign.video.open import open_video

    recipe = extraction.resolved_recipe
    times: list[tuple[float, float]] = []
    with open_video(video, reader=extraction.reader) as reader:
        log.debug("%s: read with %s (%s)", video, reader.info.reader, reader.info.reason)

        def pixels() -> Iterator[Any]:
            for clip in prefetch(lambda: cut_clips(reader, recipe), AHEAD):
                times.append((clip.start, clip.end))
                yield clip.pixels
                if progress is not None:
                    progress(clip.end, reader.info.duration)

        place = extraction.place
        first, clips = _peek(pixels())
        if first is None:
            raise _no_clip(video, reader, recipe)
        batches = encode(extraction.model, clips, device=place.device, precision=place.precision)
        features = np.concatenate([batch.astype(extraction.dtype) for batch in batches])
        if not np.isfinite(features).all():
            raise VideoError(f"{video}: the features overflow {extraction.dtype}", hint="use --dtype float32")
        return Features(
            features=features,
            times=np.array(times, dtype=np.float64),
            backbone=extraction.backbone,
            recipe=recipe,
            weights_sha256=extraction.weights_sha256,
            precision=place.precision,
            runtime="torch",
            reader=reader.info.reader,
            video=video.name,
            video_size=video.stat().st_size,
            duration=reader.info.duration,
            video_start=reader.info.video_start,
            truncated=reader.truncated,
            decoded_until=reader.decoded_until,
            vidalign_version=__version__,
        )


def extract_items(
    items: Sequence[Item],
    extraction: Extraction,
    *,
    overwrite: bool = False,
    fail_fast: bool = False,
    dry_run: bool = False,
    progress: Callable[[Item], Progress] | None = None,
) -> Iterator[ItemResult]:
    """Extract every item and write its file; each result comes as soon as it is on disk.

    Finished outputs are skipped. Raises UsageError or one of its kind before any work where a model is
    missing or an output came from other settings (`overwrite` redoes both kinds).
    """
    extraction.check()
    finished = set() if overwrite else {item.output for item in items if is_done(item, extraction)}
    for item in items:
        if item.output in finished:
            yield ItemResult(item.name, "skipped", str(item.source), str(item.output))
            continue
        if dry_run:
            yield ItemResult(item.name, "planned", str(item.source), str(item.output))
            continue
        result = _extract_item(item, extraction, progress(item) if progress else None)
        yield result
        if fail_fast and result.status == "failed":
            return


def is_done(item: Item, extraction: Extraction) -> bool:
    """Whether the output is there from the same settings and video; raises OutputMismatchError for others."""
    from vidalign.store.features import read_features_attributes

    if not item.output.exists():
        return False
    found = read_features_attributes(item.output)
    recipe = extraction.resolved_recipe
    wanted: dict[str, object] = {
        "backbone": extraction.backbone,
        "weights_sha256": extraction.weights_sha256,
        "precision": extraction.place.precision,
    }
    if item.source.is_file():
        wanted["video_size"] = item.source.stat().st_size
    differences = [
        f"{key} {found[key]} there, {value} now"
        for key, value in wanted.items()
        if found[key] is not None and found[key] != value
    ]
    if found["recipe"] is not None:
        differences += [f"recipe {line}" for line in found["recipe"].differences(recipe)]
    if differences:
        raise OutputMismatchError(
            f"{item.output} was made otherwise: {'; '.join(differences)}",
            hint="choose another folder, or redo it with --overwrite",
        )
    return True


def _extract_item(item: Item, extraction: Extraction, progress: Progress | None) -> ItemResult:
    from vidalign.store.features import write_features

    def work() -> Features:
        features = extract_features(item.source, extraction, progress)
        write_features(item.output, features)
        return features

    features = attempt(work, item.source)
    if isinstance(features, VidalignError):
        return ItemResult(item.name, "failed", str(item.source), error=features)
    warnings = _warnings(item, features)
    details = {
        "clips": len(features.features),
        "width": int(features.features.shape[1]),
        "duration": features.duration,
        "reader": features.reader,
    }
    status: Status = "partial" if features.truncated else "done"
    return ItemResult(item.name, status, str(item.source), str(item.output), None, warnings, details)


def _warnings(item: Item, features: Features) -> tuple[str, ...]:
    if not features.truncated:
        return ()
    until = "an unknown time" if features.decoded_until is None else f"{features.decoded_until:.1f} s"
    return (f"{item.source}: the file breaks off; pictures end at {until}",)


def _no_clip(video: Path, reader: VideoReader, recipe: Recipe) -> VideoError:
    needed = recipe.frames / recipe.fps
    if reader.truncated:
        return VideoError(
            f"{video}: breaks off before the first clip of {needed:g} s", hint="get the file again"
        )
    return VideoError(
        f"{video}: too short for one clip of {needed:g} s by recipe {recipe.name}",
        hint="use a recipe with tail repeat or zero",
    )


def _peek(values: Iterator[Any]) -> tuple[Any, Iterable[Any]]:
    first = next(values, None)

    def chained() -> Iterator[Any]:
        yield first
        yield from values

    return first, chained()

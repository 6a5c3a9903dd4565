"""Videos -> features files, one after the other; a bad file never stops the rest."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vidalign._version import __version__
from vidalign.backbones.spec import backbone_spec, check_extra, check_recipe
from vidalign.batch.boundary import attempt
from vidalign.batch.device import Place, choose_place
from vidalign.batch.outputs import WAY_OUT, check_writable, in_the_way
from vidalign.batch.prefetch import prefetch
from vidalign.batch.report import ItemResult
from vidalign.errors import OutputMismatchError, VidalignError, VideoError
from vidalign.store.items import Item
from vidalign.types import Features, Recipe
from vidalign.weights.cache import file_sha256, weights_sha256
from vidalign.weights.cards import ModelCard, backbone_of, get_card
from vidalign.weights.defaults import default_model
from vidalign.weights.recipes import get_recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
    """How features are made: `backbone` is the name of a model or the path of a model folder.

    `recipe` is a name or a YAML file, `weights` a checkpoint file; None: what the card says.
    """

    backbone: str
    recipe: str | os.PathLike[str] | None = None
    weights: Path | None = None
    device: str = "auto"
    dtype: Dtype = "float16"
    reader: str = "auto"

    @cached_property
    def card(self) -> ModelCard:
        """The backbone's card; raises ModelError."""
        return get_card(self.backbone)

    @cached_property
    def resolved_recipe(self) -> Recipe:
        """The recipe; raises ConfigError or ModelError where the backbone cannot follow it."""
        spec = backbone_spec(self.card)
        own = {recipe.name: recipe for recipe in spec.recipes}
        wanted = spec.recipe.name if self.recipe is None else os.fspath(self.recipe)
        recipe = own[wanted] if wanted in own else get_recipe(wanted)
        check_recipe(spec, recipe, self.card.name)
        return recipe

    @cached_property
    def weights_sha256(self) -> str:
        """SHA-256 of the weights file; raises ModelError where it is missing."""
        if self.weights is not None:
            return weights_sha256(self.card, "backbone", self.weights)
        return file_sha256(self.card, "backbone")

    @cached_property
    def place(self) -> Place:
        """Device and precision."""
        return choose_place(self.device)

    @property
    def runtime(self) -> str:
        """What computes, with its version."""
        from torch import __version__ as version

        return f"torch {version}"

    @cached_property
    def model(self) -> Backbone:
        """The network, loaded at the first use."""
        from vidalign.backbones.registry import load_backbone

        return load_backbone(
            self.backbone, self.weights, recipe=self.resolved_recipe, device=self.place.device
        )

    def check(self) -> None:
        """Raise what a wrong model, recipe, weights file or device, or a missing extra, would raise later."""
        check_extra(backbone_spec(self.card), self.card.name)
        _ = self.resolved_recipe, self.weights_sha256, self.place


def default_backbone() -> str:
    """The backbone whose features the default model reads: a name, or the path of a model folder."""
    return backbone_of(get_card(default_model())).reference


def extract_features(video: Path, extraction: Extraction, progress: Progress | None = None) -> Features:
    """The features of one video; raises VideoError where there is no picture to read or not one clip."""
    import numpy as np

    from vidalign.video.open import open_video

    with open_video(video, reader=extraction.reader) as reader:
        log.info("%s: read with %s (%s)", video, reader.info.reader, reader.info.reason)
        vectors, times = _encode(reader, extraction, progress)
        if not times:
            raise _no_clip(video, reader, extraction.resolved_recipe)
        return Features(
            features=_as_dtype(np.concatenate(vectors), extraction.dtype, video),
            times=np.array(times, dtype=np.float64),
            backbone=extraction.card.name,
            recipe=extraction.resolved_recipe,
            weights_sha256=extraction.weights_sha256,
            precision=extraction.place.precision,
            runtime=extraction.runtime,
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
    dry_run: bool = False,
    progress: Callable[[Item], Progress] | None = None,
) -> Iterator[ItemResult]:
    """Check everything now; then, as the results are asked for, extract one item after the other.

    A result comes as soon as its file is on disk. Finished outputs are skipped. Raises UsageError or one of
    its kind, at the call, where a model is missing, a folder cannot be written, or an output came from other
    settings (`overwrite` redoes both kinds).
    """
    extraction.check()
    ends = [None if overwrite else _end_before_work(item, extraction) for item in items]
    if not dry_run:
        check_writable(item.output for item, end in zip(items, ends, strict=True) if end is None)
    return _extract_each(list(zip(items, ends, strict=True)), extraction, dry_run, progress)


def finished(item: Item, extraction: Extraction) -> dict[str, Any] | None:
    """The attributes of the output made from this video with these settings, None where there is none.

    Raises OutputMismatchError, saying the differences, where the output came from others.
    """
    from vidalign.store.features import read_features_attributes

    if not os.path.lexists(item.output):
        return None
    with in_the_way():
        found = read_features_attributes(item.output)
    wanted: dict[str, object] = {
        "backbone": extraction.card.name,
        "weights_sha256": extraction.weights_sha256,
        "precision": extraction.place.precision,
        "dtype": extraction.dtype,
    }
    if item.source.is_file():
        wanted["video_size"] = item.source.stat().st_size
    differences = [
        f"{key}: {found[key]} / {value}"
        for key, value in wanted.items()
        if found[key] is not None and found[key] != value
    ]
    if found["recipe"] is not None:
        differences += [f"recipe {line}" for line in found["recipe"].differences(extraction.resolved_recipe)]
    if differences:
        raise OutputMismatchError(
            f"{item.output} was made otherwise (there / now: {'; '.join(differences)})", hint=WAY_OUT
        )
    return found


def break_off_warning(video: Path, decoded_until: float | None) -> str:
    """The line that tells of a video that ends before its end."""
    until = "an unknown time" if decoded_until is None else f"{decoded_until:.1f} s"
    return f"{video}: the file breaks off; its pictures end at {until}"


def _end_before_work(item: Item, extraction: Extraction) -> ItemResult | None:
    """The result of an item that needs no work or has failed already."""
    found = attempt(lambda: finished(item, extraction), item.source)
    if found is None:
        return None
    if isinstance(found, VidalignError):
        return ItemResult(item.name, "failed", str(item.source), error=found)
    return ItemResult(
        item.name, "skipped", str(item.source), str(item.output), truncated=bool(found["truncated"])
    )


def _extract_each(
    plan: Sequence[tuple[Item, ItemResult | None]],
    extraction: Extraction,
    dry_run: bool,
    progress: Callable[[Item], Progress] | None,
) -> Iterator[ItemResult]:
    for item, end in plan:
        if end is not None:
            yield end
        elif dry_run:
            yield ItemResult(item.name, "planned", str(item.source), str(item.output))
        else:
            yield _extract_item(item, extraction, progress(item) if progress else None)


def _extract_item(item: Item, extraction: Extraction, progress: Progress | None) -> ItemResult:
    from vidalign.store.features import write_features

    def work() -> Features:
        features = extract_features(item.source, extraction, progress)
        write_features(item.output, features)
        return features

    features = attempt(work, item.source)
    if isinstance(features, VidalignError):
        return ItemResult(item.name, "failed", str(item.source), error=features)
    broken = bool(features.truncated)
    return ItemResult(
        item.name,
        "partial" if broken else "done",
        str(item.source),
        str(item.output),
        warnings=(break_off_warning(item.source, features.decoded_until),) if broken else (),
        truncated=broken,
        details={
            "clips": len(features.features),
            "width": int(features.features.shape[1]),
            "duration": features.duration,
            "reader": features.reader,
        },
    )


def _encode(
    reader: VideoReader, extraction: Extraction, progress: Progress | None
) -> tuple[list[NDArray[np.float32]], list[tuple[float, float]]]:
    """Batches of features and the times of all clips; decoding runs ahead in a thread of its own."""
    from vidalign.backbones.encode import Views, encode
    from vidalign.video.clips import cut_clips

    times: list[tuple[float, float]] = []
    with closing(prefetch(lambda: cut_clips(reader, extraction.resolved_recipe), AHEAD)) as clips:

        def pixels() -> Iterator[Views]:
            for clip in clips:
                times.append((clip.start, clip.end))
                yield clip.frames
                if progress is not None:
                    progress(clip.end, reader.info.duration)

        device, precision = extraction.place
        return list(encode(extraction.model, pixels(), device=device, precision=precision)), times


def _as_dtype(values: NDArray[np.float32], dtype: Dtype, video: Path) -> NDArray[Any]:
    import numpy as np

    if not np.isfinite(values).all():
        raise VideoError(f"{video}: the model gives NaN or infinity", hint="check its weights")
    with np.errstate(over="ignore"):
        result: NDArray[Any] = values.astype(dtype)
    if not np.isfinite(result).all():
        raise VideoError(f"{video}: the features are too large for {dtype}", hint="use --dtype float32")
    return result


def _no_clip(video: Path, reader: VideoReader, recipe: Recipe) -> VideoError:
    needed = f"{float(recipe.clip_seconds):g} s"
    if reader.truncated:
        return VideoError(f"{video} breaks off before its first clip of {needed}", hint="get the file again")
    if recipe.tail != "drop":
        return VideoError(f"{video} holds no picture that can be decoded", hint="check that it plays")
    return VideoError(
        f"{video} is too short for one clip of {needed} by recipe {recipe.name}",
        hint="give a --recipe with tail: repeat or zero",
    )

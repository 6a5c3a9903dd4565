"""Videos by class, and the frames that are drawn of them (TSN, Wang et al., ECCV 2016; TAM, ICCV 2021)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidalign.errors import ConfigError, DataError, StoreError, VideoError, did_you_mean
from vidalign.training.data.classes import ClassSource, LabelledFile, class_names, labelled_files, split
from vidalign.training.data.crops import MultiScale, mirrored, scale_cropped
from vidalign.training.data.frames import FrameRow, cached_frames, check_square
from vidalign.training.data.sources import Gathered
from vidalign.types import Recipe

log = logging.getLogger("vidalign.training")


@dataclass(frozen=True, slots=True)
class FrameOptions:
    """How the frames of a clip are drawn and cropped; their number and size are the recipe's.

    `sampling` segments: one of each of so many equal parts of the video, at random, to validate the middle
    one. dense: the recipe's `step` apart, from a random place on, to validate around the middle; past the
    end it goes on at the beginning. `crops`: in training a part of the picture is cut whose sides are such
    shares of the shorter side, at most `distortion` apart in that list, and scaled; empty: as to validate.
    `flip` mirrors half of the clips, which is wrong where left and right make the class.
    """

    sampling: Literal["segments", "dense"] = "segments"
    crops: tuple[float, ...] = (1.0, 0.875, 0.75, 0.66)
    distortion: int = 1
    flip: bool = False

    def __post_init__(self) -> None:
        if not all(0 < share <= 1 for share in self.crops):
            raise ConfigError(f"crops must be shares above 0 and up to 1, not {list(self.crops)}")
        if self.distortion < 0:
            raise ConfigError(f"distortion must not be below 0, not {self.distortion}")


@dataclass(frozen=True, slots=True)
class ActionData:
    """What a classifier is trained on.

    `labels` lists the classes, one a line (default: those of the training videos, sorted). Without a
    validation source, `validation_share` of the videos of each class validates. `cache` keeps the decoded
    frames (default: the run's own folder).
    """

    training: ClassSource
    validation: ClassSource | None = None
    validation_share: float = 0.1
    labels: Path | None = None
    clips: FrameOptions = field(default_factory=FrameOptions)
    cache: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.validation_share < 1:
            raise ConfigError(f"validation_share is {self.validation_share:g}", hint="from 0 to below 1")


@dataclass(frozen=True, slots=True, eq=False)
class ClassVideo:
    """The frames of one video and the index of its class."""

    name: str
    frames: FrameRow
    label: int


@dataclass(frozen=True, slots=True, eq=False)
class ClassClip:
    """Pixels (T, H, W, 3) uint8 and the index of the class."""

    pixels: NDArray[np.uint8]
    label: int


class ActionClips:
    """One clip a video and epoch; an item is a pure function of (seed, epoch, index)."""

    def __init__(
        self,
        videos: Sequence[ClassVideo],
        recipe: Recipe,
        options: FrameOptions,
        *,
        training: bool,
        seed: int = 0,
    ) -> None:
        shape = recipe.frame_shape
        assert shape is not None
        self.videos = tuple(videos)
        self.recipe, self.options = recipe, options
        self.training, self.seed = training, seed
        self._shape = shape
        self._cut = MultiScale(options.crops, options.distortion, shape) if options.crops else None

    def __len__(self) -> int:
        return len(self.videos)

    def item(self, epoch: int, index: int) -> ClassClip:
        """Raises StoreError where the frames cannot be read any more."""
        random = Random(f"{self.seed}/{epoch}/{index}")
        video = self.videos[index]
        chosen = self._chosen(video.frames.count, random if self.training else None)
        pixels = np.concatenate([video.frames.read(place, place + 1) for place in chosen])
        if self.training and self._cut is not None:
            pixels = scale_cropped(pixels, self._cut.draw(pixels.shape[1:3], random), self._shape)
        if self.training and self.options.flip and random.random() < 0.5:
            pixels = mirrored(pixels)
        return ClassClip(pixels, video.label)

    def collate(self, items: Sequence[ClassClip]) -> dict[str, Tensor]:
        """`clips` (B, 3, T, H, W) uint8, channels last in memory, and `labels` (B,)."""
        clips = torch.from_numpy(np.stack([item.pixels for item in items]))
        return {
            "clips": clips.permute(0, 4, 1, 2, 3),
            "labels": torch.tensor([item.label for item in items]),
        }

    def _chosen(self, count: int, random: Random | None) -> list[int]:
        frames, step = self.recipe.frames, self.recipe.step
        if self.options.sampling == "dense":
            return dense_frames(count, frames, step, random)
        return segment_frames(count, frames, random)


def segment_frames(count: int, frames: int, random: Random | None) -> list[int]:
    """One of each of `frames` equal parts of `count`, without `random` the middle one; ascending."""
    bounds = [count * number / frames for number in range(frames + 1)]
    places = []
    for low, high in pairwise(bounds):
        at = (low + high) / 2 if random is None else random.uniform(low, high)
        places.append(min(int(at), count - 1))
    return places


def dense_frames(count: int, frames: int, step: int, random: Random | None) -> list[int]:
    """`frames` of `count`, `step` apart, from a random place on, without `random` around the middle."""
    last = max(0, count - step * frames)
    start = last // 2 if random is None else random.randint(0, last)
    return [(start + number * step) % count for number in range(frames)]


@dataclass(frozen=True, slots=True, eq=False)
class ActionSets:
    """The clips of both splits, the classes by index, and lines on what was left out."""

    training: ActionClips
    validation: ActionClips | None
    labels: tuple[str, ...]
    notes: tuple[str, ...]


def load_action_sets(data: ActionData, recipe: Recipe, cache: Path, seed: int = 0) -> ActionSets:
    """Find the videos, and decode what `data.cache`, or else `cache`, does not hold yet.

    A video that cannot be read is left out with a warning. Raises ConfigError, and DataError where there are
    not two classes, or none of one class's videos can be read.
    """
    check_square(recipe)
    learned = labelled_files(data.training)
    labels = class_names(data.labels, learned, data.training)
    held: list[LabelledFile] = []
    if data.validation is not None:
        held = labelled_files(data.validation)
    elif data.validation_share:
        learned, held = split(learned, data.validation_share)
    folder, notes = data.cache or cache, []
    sets: list[ActionClips] = []
    for files, training in ((learned, True), (held, False)):
        whole = training and bool(data.clips.crops) and recipe.crop != "none"
        shown = replace(recipe, crop="none") if whole else recipe
        gathered = _gathered(files, labels, shown, folder)
        notes += gathered.lines()
        sets.append(ActionClips(gathered.videos, recipe, data.clips, training=training, seed=seed))
    _check_every_class(sets[0], labels, learned, notes)
    for line in notes:
        log.warning("%s", line)
    return ActionSets(sets[0], sets[1] if len(sets[1]) else None, labels, tuple(notes))


def _gathered(
    files: Sequence[LabelledFile], labels: Sequence[str], recipe: Recipe, cache: Path
) -> Gathered[ClassVideo]:
    index = {label: number for number, label in enumerate(labels)}
    gathered: Gathered[ClassVideo] = Gathered()
    for file in files:
        if file.label not in index:
            known = ", ".join(labels[:5]) + (", ..." if len(labels) > 5 else "")
            raise ConfigError(
                f"{file.where}: the label {file.label!r} is none of the {len(labels)} trained ones",
                hint=did_you_mean(file.label, labels, f"known: {known}"),
            )
        try:
            frames = cached_frames(file.path, file.name, recipe, cache)
            gathered.videos.append(ClassVideo(file.name, frames, index[file.label]))
        except (VideoError, StoreError) as error:
            gathered.fail(error, file.name)
    return gathered


def _check_every_class(
    clips: ActionClips, labels: Sequence[str], files: Sequence[LabelledFile], notes: Sequence[str]
) -> None:
    """Raise DataError where a class that has training files has none that can be read."""
    here = {labels[video.label] for video in clips.videos}
    if lost := sorted({file.label for file in files} - here):
        raise DataError(
            f"no video of the class {lost[0]!r} can be read: {'; '.join(notes)}", hint="mend or remove them"
        )

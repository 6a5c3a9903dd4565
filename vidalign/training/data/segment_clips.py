"""Clips of action and background segments of untrimmed videos (TSP, Alwassel et al., ICCVW 2021)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import floor
from pathlib import Path, PurePosixPath
from random import Random
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidalign.errors import ConfigError, DataError, VideoError
from vidalign.evaluation.files import NamedFiles
from vidalign.store.items import VIDEO_SUFFIXES
from vidalign.training.data.frames import FrameRow, cached_frames, check_square
from vidalign.training.data.gvf import read_gvf
from vidalign.training.data.segments import Segment, action_index, read_labels, read_segments
from vidalign.training.data.sources import videos_below
from vidalign.training.losses.tsp import BACKGROUND
from vidalign.types import Recipe

log = logging.getLogger("vidalign.training")

_NOISE = 1e-6
"""Frames by which a length written in seconds may fall short."""


@dataclass(frozen=True, slots=True)
class SegmentOptions:
    """How clips are drawn: `per_segment` of each in an epoch, anywhere in it; to validate, evenly spread.

    `balanced`: as many clips of action as of background, an epoch as long as without. In training a clip is
    cropped at random and mirrored half of the time, if so wished; both are wrong where the place or left and
    right make the action.
    """

    per_segment: int = 5
    balanced: bool = False
    random_crop: bool = True
    flip: bool = True

    def __post_init__(self) -> None:
        if self.per_segment < 1:
            raise ConfigError(f"per_segment must be at least 1, not {self.per_segment}")


@dataclass(frozen=True, slots=True)
class SegmentSource:
    """A folder of `videos` and the CSV of their `segments`."""

    videos: Path
    segments: Path


@dataclass(frozen=True, slots=True)
class SegmentData:
    """What an encoder is trained on.

    `labels` lists the actions, one a line (default: those of the training segments, sorted). A video that is
    `missing` is an error, or is left out. `cache` keeps the decoded frames (default: the run's own folder).
    """

    training: SegmentSource
    validation: SegmentSource | None = None
    labels: Path | None = None
    missing: Literal["error", "leave out"] = "error"
    clips: SegmentOptions = field(default_factory=SegmentOptions)
    cache: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Where clips of a segment may begin: at sampled frames `low` to `high`; `action` may be BACKGROUND."""

    video: str
    frames: FrameRow
    low: int
    high: int
    action: int


@dataclass(frozen=True, slots=True, eq=False)
class LabelledClip:
    """Pixels (F, H, W, 3) uint8, the index of the action, and the name of the video."""

    pixels: NDArray[np.uint8]
    action: int
    video: str


class SegmentClips:
    """Clips of segments by index; an item is a pure function of (seed, epoch, index).

    `gvf` are global video features (D,) by name of video. Without `training`, clips are as `recipe` cuts
    them, evenly spread over their segments.
    """

    def __init__(
        self,
        stretches: Sequence[Stretch],
        recipe: Recipe,
        options: SegmentOptions,
        *,
        training: bool,
        gvf: Mapping[str, NDArray[np.float32]] | None = None,
        seed: int = 0,
    ) -> None:
        self.stretches = tuple(stretches)
        self.recipe = recipe
        self.options = options
        self.training = training
        self.gvf = gvf
        self.seed = seed
        kinds = ([s for s in stretches if (s.action == BACKGROUND) == background] for background in (0, 1))
        self._kinds = tuple(kind for kind in kinds if kind)

    def __len__(self) -> int:
        return len(self.stretches) * self.options.per_segment

    def item(self, epoch: int, index: int) -> LabelledClip:
        """Raises StoreError where the frames cannot be read any more."""
        random = Random(f"{self.seed}/{epoch}/{index}")
        stretch = self._stretch(epoch, index)
        if self.training:
            start = random.randint(stretch.low, stretch.high)
        else:
            start = self._spread(stretch, index // len(self.stretches))
        step = self.recipe.step
        pixels = stretch.frames.read(start, start + (self.recipe.frames - 1) * step + 1)[::step]
        return LabelledClip(self._seen(pixels, random), stretch.action, stretch.video)

    def collate(self, items: Sequence[LabelledClip]) -> dict[str, Tensor]:
        """`clips` (B, 3, F, H, W) uint8, channels last in memory, `action` (B,), and `gvf` (B, D) if any."""
        clips = torch.from_numpy(np.stack([item.pixels for item in items]))
        batch = {
            "clips": clips.permute(0, 4, 1, 2, 3),
            "action": torch.tensor([item.action for item in items]),
        }
        if self.gvf is not None:
            batch["gvf"] = torch.from_numpy(np.stack([self.gvf[item.video] for item in items]))
        return batch

    def _stretch(self, epoch: int, index: int) -> Stretch:
        """Balanced, even indices are of action, odd ones of background, and epochs go on where one ended."""
        if not (self.training and self.options.balanced and len(self._kinds) == 2):
            return self.stretches[index % len(self.stretches)]
        kind = self._kinds[index % 2]
        half = (len(self) + 1 - index % 2) // 2
        return kind[(epoch * half + index // 2) % len(kind)]

    def _spread(self, stretch: Stretch, number: int) -> int:
        last = self.options.per_segment - 1
        share = number / last if last else 0.5
        return stretch.low + round(share * (stretch.high - stretch.low))

    def _seen(self, pixels: NDArray[np.uint8], random: Random) -> NDArray[np.uint8]:
        """What the network sees of frames (F, H, W, 3)."""
        if not self.training:
            return pixels
        if self.options.random_crop and self.recipe.crop != "none":
            side = self.recipe.crop_size
            top, left = (random.randint(0, length - side) for length in pixels.shape[1:3])
            pixels = pixels[:, top : top + side, left : left + side]
        if self.options.flip and random.random() < 0.5:
            pixels = pixels[:, :, ::-1]
        return np.ascontiguousarray(pixels)


@dataclass(frozen=True, slots=True, eq=False)
class SegmentSets:
    """The clips of both splits, the actions by index, and lines on what was left out."""

    training: SegmentClips
    validation: SegmentClips | None
    labels: tuple[str, ...]
    notes: tuple[str, ...]


def check_clips(recipe: Recipe) -> None:
    """Raise ConfigError unless clips can be cut anywhere in a video, all of one shape."""
    check_square(recipe)
    if recipe.sampling != "stride" or recipe.crop not in ("center", "none"):
        raise ConfigError(
            f"recipe {recipe.name!r} makes several views of a clip or of a video",
            hint="training needs sampling: stride, and crop: center or none",
        )


def load_segment_sets(
    data: SegmentData,
    recipe: Recipe,
    cache: Path,
    *,
    background: bool = True,
    gvf: Path | None = None,
    seed: int = 0,
) -> SegmentSets:
    """Read the tables, find the videos, and decode what `data.cache`, or else `cache`, does not hold yet.

    Segments shorter than a clip are left out, told and counted, without `background` also those, and videos
    that cannot be read. `gvf` is a folder of global video features. Raises ConfigError, DataError.
    """
    check_clips(recipe)
    tables = {"training": data.training, "validation": data.validation}
    segments = {split: read_segments(source.segments) for split, source in tables.items() if source}
    labels = read_labels(data.labels, segments["training"])
    notes: list[str] = []
    found: dict[str, list[Stretch]] = {}
    for split, rows in segments.items():
        source = tables[split]
        assert source is not None
        uncropped = split == "training" and data.clips.random_crop
        reading = _Reading(source, replace(recipe, crop="none") if uncropped else recipe, data.missing)
        found[split] = reading.stretches(rows, labels, data.cache or cache, background)
        notes += [f"{split}: {line}" for line in reading.notes]
    names = {stretch.video for stretches in found.values() for stretch in stretches}
    pooled = read_gvf(gvf, sorted(names)) if gvf is not None else None
    sets = {
        split: SegmentClips(
            stretches, recipe, data.clips, training=split == "training", gvf=pooled, seed=seed
        )
        for split, stretches in found.items()
    }
    for line in notes:
        log.warning("%s", line)
    if background and BACKGROUND not in {stretch.action for stretch in sets["training"].stretches}:
        raise DataError(
            f"{data.training.segments} has no background segment that can be used",
            hint="rows with an empty label; or train with objective: tac",
        )
    return SegmentSets(sets["training"], sets.get("validation"), labels, tuple(notes))


class _Reading:
    """One table and its videos; `notes` tell afterwards what was left out."""

    def __init__(self, source: SegmentSource, recipe: Recipe, missing: Literal["error", "leave out"]) -> None:
        self.source, self.recipe, self.missing = source, recipe, missing
        self.notes: list[str] = []

    def stretches(
        self, segments: Sequence[Segment], labels: Sequence[str], cache: Path, background: bool
    ) -> list[Stretch]:
        indices = {label: index for index, label in enumerate(labels)}
        wanted = [
            (segment, action)
            for segment in segments
            if (action := action_index(segment, indices, self.source.segments)) != BACKGROUND or background
        ]
        if not any(action != BACKGROUND for _, action in wanted):
            raise DataError(f"{self.source.segments} has no segment with an action")
        videos = self._videos([segment for segment, _ in wanted], cache)
        found: list[Stretch] = []
        left_out: Counter[str] = Counter()
        for segment, action in wanted:
            if segment.video in videos:
                name, frames = videos[segment.video]
                span = clip_starts(segment.start, segment.end, frames.count, self.recipe)
                if isinstance(span, str):
                    left_out[span] += 1
                else:
                    found.append(Stretch(name, frames, *span, action))
        for reason, count in left_out.items():
            self.notes.append(f"{count} of {len(segments)} segments left out: {reason}")
        if not any(stretch.action != BACKGROUND for stretch in found):
            why = "; ".join(self.notes) or "no video can be read"
            raise DataError(f"no action segment of {self.source.segments} can be used: {why}")
        return found

    def _videos(self, segments: Sequence[Segment], cache: Path) -> dict[str, tuple[str, FrameRow]]:
        """Names and frames by the name in the table; raises ConfigError where a video is missing."""
        below = videos_below(self.source.videos)
        files = NamedFiles(below.items())
        names = {path: name for name, path in below.items()}
        found: dict[str, tuple[str, FrameRow]] = {}
        lines = {segment.video: segment.line for segment in reversed(segments)}
        paths = {video: files.find(_without_suffix(video)) for video in lines}
        self._tell_missing({video: lines[video] for video, path in paths.items() if path is None})
        for video, path in sorted(paths.items()):
            if path is None:
                continue
            try:
                found[video] = names[path], cached_frames(path, names[path], self.recipe, cache)
            except VideoError as error:
                self.notes.append(f"1 video left out: {error.message}")
        return found

    def _tell_missing(self, lines: Mapping[str, int]) -> None:
        if not lines:
            return
        first = min(lines, key=lambda video: lines[video])
        others = f", nor {len(lines) - 1} more" if len(lines) > 1 else ""
        told = f"{self.source.segments}:{lines[first]}: no video {first} in {self.source.videos}{others}"
        if self.missing == "error":
            raise ConfigError(told, hint="missing: leave out goes on without them")
        self.notes.append(f"{len(lines)} videos left out: {told}")


def clip_starts(start: float, end: float, frames: int, recipe: Recipe) -> tuple[int, int] | str:
    """First and last frame at which a clip within the seconds [start, end) may begin, or why there is none.

    `frames` are those of the video, at the rate of the recipe.
    """
    length = recipe.frames * recipe.step
    low = round(start * recipe.sample_rate)
    room = floor((end - start) * recipe.sample_rate + _NOISE) - length
    if room < 0:
        return f"shorter than a clip of {float(recipe.clip_seconds):.3g} s"
    high = min(low + room, frames - (length - recipe.step + 1))
    return (low, high) if low <= high else "no clip before the end of the video"


def _without_suffix(video: str) -> str:
    path = PurePosixPath(video)
    return path.with_suffix("").as_posix() if path.suffix.lower() in VIDEO_SUFFIXES else video

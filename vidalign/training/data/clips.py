"""Clips with the sentences spoken around them: what MIL-NCE learns from (Miech et al., CVPR 2020)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from pathlib import Path
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidalign.aligners.tokens import Tokenizer
from vidalign.errors import ConfigError, DataError
from vidalign.training.data.aligned import aligned_matches
from vidalign.training.data.frames import FrameRow, cached_frames, check_square
from vidalign.training.data.sources import (
    Gathered,
    Holding,
    Reading,
    folder_matches,
    gather,
    read_names,
    split,
    table_matches,
    videos_below,
)
from vidalign.training.data.spoken import Spoken
from vidalign.types import Recipe


@dataclass(frozen=True, slots=True)
class ClipOptions:
    """How clips are drawn.

    A clip is cut at random around a random sentence, so that they overlap by half of the shorter one; its
    `candidates` are that sentence and those nearest in time, none further than `reach` seconds if given.
    `flip` mirrors half of the clips, which is wrong where left and right are spoken of. An item is so many
    clips of one video `together`, around different sentences, each a hard negative of the others; `per_video`
    items of a video make an epoch.
    """

    candidates: int = 5
    reach: float | None = None
    flip: bool = False
    together: int = 1
    per_video: int = 1

    def __post_init__(self) -> None:
        for name in ("candidates", "together", "per_video"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.reach is not None and self.reach < 0:
            raise ConfigError(f"reach must not be below 0, not {self.reach:g}")


@dataclass(frozen=True, slots=True)
class VideoSource:
    """A folder of videos with the subtitles of the same names, there or in another folder or in one JSON
    {video: {text, start, end}}; or a CSV `manifest` with the columns video and subtitles.

    Instead of subtitles, `alignments` is a folder of alignment files of the same names: then a video's
    sentences are those that are aligned, with at least `min_confidence`, each at its segment.
    """

    videos: Path | None = None
    subtitles: Path | None = None
    manifest: Path | None = None
    alignments: Path | None = None
    min_confidence: float = 0.0

    def __post_init__(self) -> None:
        others = self.subtitles or self.alignments
        if (self.videos is None) == (self.manifest is None) or (self.manifest and others):
            raise ConfigError("give videos, with subtitles or without, or a manifest", hint="one of the two")
        if self.subtitles and self.alignments:
            raise ConfigError("alignments take the place of subtitles", hint="give one of the two")
        if not 0 <= self.min_confidence <= 1:
            raise ConfigError(f"min_confidence must be from 0 to 1, not {self.min_confidence:g}")
        if self.min_confidence and not self.alignments:
            raise ConfigError("min_confidence goes with alignments only")


@dataclass(frozen=True, slots=True)
class ClipData:
    """What a backbone is trained on; `cache` keeps the decoded frames (default: the run's own folder)."""

    training: VideoSource
    validation: VideoSource | None = None
    reading: Reading = field(default_factory=Reading)
    holding: Holding = field(default_factory=Holding)
    clips: ClipOptions = field(default_factory=ClipOptions)
    cache: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ClipVideo:
    """One video: its frames and the sentences with words that begin before they end."""

    name: str
    frames: FrameRow
    spoken: Spoken


@dataclass(frozen=True, slots=True, eq=False)
class SpokenClips:
    """Clips (C, F, H, W, 3) uint8 of a video, `tokens` (C, P, W) of their candidates; `real` (C, P) ones."""

    pixels: NDArray[np.uint8]
    tokens: NDArray[np.int64]
    real: NDArray[np.bool_]


class Clips:
    """Clips of a video by index; an item is a pure function of (seed, epoch, index)."""

    def __init__(
        self,
        videos: Sequence[ClipVideo],
        recipe: Recipe,
        options: ClipOptions,
        tokenizer: Tokenizer,
        seed: int = 0,
    ) -> None:
        self.videos = tuple(videos)
        self.recipe = recipe
        self.options = options
        self.seed = seed
        self._words = tokenizer([""])[0].shape[1]

    def __len__(self) -> int:
        return len(self.videos) * self.options.per_video

    def item(self, epoch: int, index: int) -> SpokenClips:
        """Raises StoreError where the frames cannot be read any more."""
        random = Random(f"{self.seed}/{epoch}/{index}")
        video = self.videos[index % len(self.videos)]
        count = min(self.options.together, len(video.spoken))
        drawn = [
            self._clip(video, chosen, random) for chosen in random.sample(range(len(video.spoken)), count)
        ]
        pixels, tokens, real = zip(*drawn, strict=True)
        return SpokenClips(np.stack(pixels), np.stack(tokens), np.stack(real))

    def _clip(
        self, video: ClipVideo, chosen: int, random: Random
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_]]:
        low, high = clip_starts(video.spoken.times[chosen], video.frames.count, self.recipe)
        start = random.randint(low, high)
        recipe = self.recipe
        pixels = video.frames.read(start, start + recipe.frames * recipe.step)[:: recipe.step]
        if self.options.flip and random.random() < 0.5:
            pixels = np.ascontiguousarray(pixels[:, :, ::-1])
        middle = start / recipe.sample_rate + float(recipe.clip_seconds) / 2
        near = nearest(video.spoken.times, chosen, middle, self.options)
        tokens = np.zeros((self.options.candidates, self._words), np.int64)
        tokens[: len(near), : video.spoken.tokens.shape[1]] = video.spoken.tokens[near]
        return pixels, tokens, np.arange(self.options.candidates) < len(near)

    def collate(self, items: Sequence[SpokenClips]) -> dict[str, Tensor]:
        """`clips` (B, 3, F, H, W) uint8, channels last in memory, `tokens` (B, P, W), `candidates` (B, P)."""
        clips = torch.from_numpy(np.concatenate([item.pixels for item in items]))
        return {
            "clips": clips.permute(0, 4, 1, 2, 3),
            "tokens": torch.from_numpy(np.concatenate([item.tokens for item in items])),
            "candidates": torch.from_numpy(np.concatenate([item.real for item in items])),
        }


def clip_starts(spoken: NDArray[np.float64], frames: int, recipe: Recipe) -> tuple[int, int]:
    """First and last frame at which a clip may begin that overlaps [start, end) by half of the shorter one.

    Clips stay within the `frames` of the video; `frames` must be enough for one.
    """
    start, end = spoken.tolist()
    length = float(recipe.clip_seconds)
    overlap = min(length, max(end - start, 0.0)) / 2
    last = frames - recipe.frames * recipe.step
    low = min(max(ceil((start - length + overlap) * recipe.sample_rate), 0), last)
    high = min(floor((end - overlap) * recipe.sample_rate), last)
    return low, max(low, high)


def nearest(
    times: NDArray[np.float64], chosen: int, middle: float, options: ClipOptions
) -> NDArray[np.int64]:
    """The chosen sentence, then those nearest to the clip's middle in time, at most `candidates` in all."""
    distance = np.maximum(np.maximum(times[:, 0] - middle, middle - times[:, 1]), 0.0)
    order = np.lexsort((np.abs(times.mean(axis=1) - middle), distance))
    if options.reach is not None:
        order = order[distance[order] <= options.reach]
    return np.concatenate([[chosen], order[order != chosen]])[: options.candidates]


@dataclass(frozen=True, slots=True, eq=False)
class ClipSets:
    """The clips of both splits, and lines on what was left out."""

    training: Clips
    validation: Clips | None
    notes: tuple[str, ...]


def load_clip_sets(
    data: ClipData, recipe: Recipe, tokenizer: Tokenizer, cache: Path, seed: int = 0
) -> ClipSets:
    """Find and match everything, and decode what `data.cache`, or else `cache`, does not hold yet.

    A video that cannot be used is left out with a warning. Raises ConfigError, DataError, SubtitleError.
    """
    check_square(recipe)
    held_out = read_names(data.holding.hold_out)
    folder = data.cache or cache

    def make(name: str, path: Path, spoken: Callable[[], Spoken]) -> ClipVideo:
        return _clip_video(name, path, spoken(), recipe, folder)

    def clips(videos: Sequence[ClipVideo]) -> Clips:
        return Clips(videos, recipe, data.clips, tokenizer, seed)

    gathered = _gathered(data.training, data.reading, tokenizer, make, held_out)
    notes = gathered.lines()
    if data.validation is None:
        learned, held = split(gathered.videos, data.holding)
    else:
        others = _gathered(data.validation, data.reading, tokenizer, make, held_out)
        learned, held = gathered.videos, others.videos
        notes += others.lines()
    return ClipSets(clips(learned), clips(held) if held else None, tuple(notes))


def _gathered(
    source: VideoSource,
    reading: Reading,
    tokenizer: Tokenizer,
    make: Callable[[str, Path, Callable[[], Spoken]], ClipVideo],
    held_out: frozenset[str],
) -> Gathered[ClipVideo]:
    gathered: Gathered[ClipVideo] = Gathered()
    if source.manifest is not None:
        matches = table_matches(source.manifest, "video", tokenizer, reading)
    else:
        assert source.videos is not None
        files = videos_below(source.videos)
        if source.alignments is not None:
            matches = aligned_matches(files, source.alignments, tokenizer, source.min_confidence, gathered)
        else:
            matches = folder_matches(files, source.subtitles or source.videos, tokenizer, reading, gathered)
    return gather(matches, make, gathered, held_out)


def _clip_video(name: str, path: Path, spoken: Spoken, recipe: Recipe, cache: Path) -> ClipVideo:
    if not spoken.has_words.any():
        raise DataError("no sentence has a known word")
    frames = cached_frames(path, name, recipe, cache)
    if frames.count < recipe.frames * recipe.step:
        raise DataError("shorter than a clip")
    inside = spoken.limited(spoken.has_words & (spoken.times[:, 0] < frames.count / recipe.sample_rate))
    if not len(inside):
        raise DataError("no sentence with a known word begins within the video")
    return ClipVideo(name, frames, inside)

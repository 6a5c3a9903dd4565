"""Whole videos with all their sentences as vectors: what NSVA learns from (Li et al., ECCV 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidalign.aligners.scorers.nsva import SENTENCES
from vidalign.errors import ConfigError, DataError
from vidalign.evaluation.files import features_files
from vidalign.store.text_features import read_text_features
from vidalign.training.data.rows import Origin, Rows
from vidalign.training.data.spoken import Spoken
from vidalign.training.data.spoken_videos import Sources, load_videos
from vidalign.training.data.windows import TanVideo, inside, padding_of, stacked

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """Of a video longer than `longest` seconds a random stretch of that length is taken.

    In a share `shuffle` of the items the sentences come in random order; None: in half of them where the
    sentences are steps, in none where they are a narration, as published.
    """

    longest: int = 1200
    shuffle: float | None = None

    def __post_init__(self) -> None:
        if self.longest < 2:
            raise ConfigError(f"longest is at least 2 seconds, not {self.longest}")
        if self.shuffle is not None and not 0 <= self.shuffle <= 1:
            raise ConfigError(f"shuffle is a share from 0 to 1, not {self.shuffle:g}")


@dataclass(frozen=True, slots=True)
class NsvaData(Sources):
    """What NSVA is trained on.

    `texts` is a folder of sentence features, found by the video's name; by default the text tower of the
    backbone makes them. All vectors are held in memory, four bytes a number.
    """

    videos: VideoOptions = field(default_factory=VideoOptions)
    texts: Path | None = None


class SentenceNumbers:
    """A tokenizer that gives each different sentence one id: its place in `texts`, counted from 1."""

    name = "sentences"

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    @property
    def texts(self) -> list[str]:
        """All sentences so far."""
        return list(self._known)

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        ids = [[self._known.setdefault(text, len(self._known) + 1)] for text in texts]
        made = np.array(ids, dtype=np.int64).reshape(-1, 1)
        return made, made > 0

    def coverage(self, texts: Sequence[str]) -> float | None:
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """Features (t, D), sentence vectors (n, C), and their `times` (n, 2) in whole seconds."""

    video: NDArray[np.float32]
    text: Vectors
    times: NDArray[np.int64]


class NsvaVideos:
    """One item a video and epoch; a pure function of (seed, epoch, index)."""

    def __init__(
        self, videos: Sequence[TanVideo], vectors: Vectors, options: VideoOptions, shuffle: float, seed: int
    ) -> None:
        self.videos = tuple(videos)
        self.vectors = vectors
        self.options = options
        self.shuffle = shuffle
        self.seed = seed

    def __len__(self) -> int:
        return len(self.videos)

    def item(self, epoch: int, index: int) -> Item:
        """Raises StoreError or DataError where the features cannot be read any more."""
        random = Random(f"{self.seed}/{epoch}/{index}")
        video = self.videos[index]
        spoken, length = video.spoken, min(video.rows.seconds, self.options.longest)
        start = _start(random, spoken, video.rows.seconds, length)
        times = inside(spoken, start, length)
        chosen = np.flatnonzero(times[:, 1] > times[:, 0])[:SENTENCES]
        if random.random() < self.shuffle:
            random.shuffle(order := chosen.tolist())
            chosen = np.array(order, dtype=np.int64)
        times[~spoken.shown, 1] = times[~spoken.shown, 0]
        text = self.vectors[spoken.tokens[chosen, 0] - 1]
        return Item(video.rows.read(start, start + length), text, times[chosen])

    def collate(self, items: Sequence[Item]) -> dict[str, Tensor]:
        """`video` (B, T, D), `video_padding` (B, T), `text` (B, N, C), `text_padding` (B, N), `start` and
        `end` (B, N) in seconds; padding repeats the last row or sentence."""
        seconds = max(len(item.video) for item in items)
        sentences = max(len(item.text) for item in items)
        times = torch.from_numpy(stacked([item.times for item in items], sentences))
        return {
            "video": torch.from_numpy(stacked([item.video for item in items], seconds)),
            "video_padding": torch.from_numpy(padding_of([len(item.video) for item in items])),
            "text": torch.from_numpy(stacked([item.text for item in items], sentences)),
            "text_padding": torch.from_numpy(padding_of([len(item.text) for item in items])),
            "start": times[..., 0].contiguous(),
            "end": times[..., 1].contiguous(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class NsvaVideosFound:
    """The videos of both splits, what made their features, and all their sentences, by their numbers."""

    training: list[TanVideo]
    validation: list[TanVideo]
    origin: Origin
    texts: list[str]


def find_videos(data: NsvaData) -> NsvaVideosFound:
    """Find and match everything, as `load_videos`."""
    numbers = SentenceNumbers()
    found = load_videos(data, _usable, numbers)
    videos = (*found.training, *found.validation)
    used = np.unique(np.concatenate([video.spoken.tokens for video in videos]))
    texts = [numbers.texts[number - 1] for number in used.tolist()]
    training, validation = (
        [_renumbered(video, used) for video in split] for split in (found.training, found.validation)
    )
    return NsvaVideosFound(training, validation, found.origin, texts)


def read_vectors(folder: Path, names: Sequence[str], texts: Sequence[str]) -> tuple[Vectors, str]:
    """The vectors (K, C) of these texts from the files of these videos, and the model that made them all.

    Raises StoreError, and DataError where a sentence has none or models or widths differ.
    """
    files, known = features_files(folder), dict[str, NDArray[np.floating]]()
    made: tuple[str, int] | None = None
    for name in names:
        path = files.find(name)
        if path is None:
            raise DataError(f"{folder} has no text features for {name}", hint=_MAKE)
        read = read_text_features(path)
        theirs = (read.model, read.features.shape[1])
        made = made or theirs
        if theirs != made:
            raise DataError(
                f"{path}: text features of {theirs[0]}, {theirs[1]} wide, not of {made[0]}, {made[1]}"
            )
        known.update(zip(read.text, read.features, strict=True))
    missing = next((text for text in texts if text not in known), None)
    if missing is not None or made is None:
        raise DataError(f"{folder} has no text features for the sentence {str(missing)[:60]!r}", hint=_MAKE)
    return np.stack([known[text] for text in texts]).astype(np.float32), made[0]


_MAKE = "make them of the same sentences: `vidalign extract-text`"


def _usable(name: str, rows: Rows, spoken: Spoken) -> TanVideo:
    """A video with the sentences that last a second in it; raises DataError where none is shown."""
    times = inside(spoken, 0, rows.seconds)
    kept = spoken.limited(times[:, 1] > times[:, 0])
    if not kept.shown.any():
        raise DataError("no sentence within the video lasts a second")
    return TanVideo(name, rows, kept)


def _renumbered(video: TanVideo, used: NDArray[np.int32]) -> TanVideo:
    """The video with sentences numbered as they are in `used`, from 1: those of unusable videos have none."""
    spoken = video.spoken
    numbers = (np.searchsorted(used, spoken.tokens) + 1).astype(np.int32)
    return replace(video, spoken=replace(spoken, tokens=numbers))


def _start(random: Random, spoken: Spoken, seconds: int, length: int) -> int:
    """Where a stretch begins that has the first second of some sentence that is shown."""
    if seconds <= length:
        return 0
    first = round(float(random.choice(spoken.times[spoken.shown, 0].tolist())))
    return max(0, min(first - random.randrange(length), seconds - length))

"""Clips with captions that overlap them in time: what VideoCLIP learns from (Xu et al., EMNLP 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidalign.aligners.tokens import Tokenizer
from vidalign.errors import ConfigError, DataError
from vidalign.training.data.rows import Origin, Rows
from vidalign.training.data.spoken import Spoken
from vidalign.training.data.spoken_videos import Sources, load_videos
from vidalign.training.data.windows import TanVideo

MARKS = 2
"""Tokens around those of a sentence: [CLS] and [SEP]."""


@dataclass(frozen=True, slots=True)
class ClipOptions:
    """How clips are drawn: `per_video` of each video in an epoch.

    A caption is a sentence with those that follow it, until it has at least as many word pieces as were drawn
    from the range `pieces`, but not more than its end. A clip is whole `seconds`, drawn from that range,
    around a moment at which the caption is spoken.
    """

    per_video: int = 16
    seconds: tuple[int, ...] = (3, 32)
    pieces: tuple[int, ...] = (8, 61)

    def __post_init__(self) -> None:
        if self.per_video < 1:
            raise ConfigError(f"per_video must be above 0, not {self.per_video}")
        for name in ("seconds", "pieces"):
            found = getattr(self, name)
            if len(found) != 2 or not 1 <= found[0] <= found[1]:
                raise ConfigError(f"{name} must be two rising numbers from 1 on, not {list(found)}")


@dataclass(frozen=True, slots=True)
class ClipData(Sources):
    """What VideoCLIP and its kin are trained on."""

    clips: ClipOptions = field(default_factory=ClipOptions)


@dataclass(frozen=True, slots=True, eq=False)
class ClipSet:
    """The clips of one video, in the order of their captions.

    `clips` (t, D) each and `tokens` (w,) each; `spans` (C, 4) in seconds: caption from, to, clip from, to.
    """

    clips: tuple[NDArray[np.float32], ...]
    tokens: tuple[NDArray[np.int32], ...]
    spans: NDArray[np.float64]


class ClipSets:
    """The clips of a video each; a pure function of (seed, epoch, index)."""

    def __init__(self, videos: Sequence[TanVideo], options: ClipOptions, seed: int = 0) -> None:
        self.videos = tuple(videos)
        self.options = options
        self.seed = seed

    def __len__(self) -> int:
        return len(self.videos)

    def item(self, epoch: int, index: int) -> ClipSet:
        """Raises StoreError or DataError where the features cannot be read any more."""
        random = Random(f"{self.seed}/{epoch}/{index}")
        video = self.videos[index]
        drawn = [self._draw(random, video, first) for first in self._firsts(random, len(video.spoken))]
        drawn.sort(key=lambda clip: clip[1])
        spans = np.array([span for _, span in drawn])
        clips = tuple(video.rows.read(int(span[2]), int(span[3])) for span in spans)
        return ClipSet(clips, tuple(tokens for tokens, _ in drawn), spans)

    def collate(self, items: Sequence[ClipSet]) -> dict[str, Tensor]:
        """`video` (B, C, T, D) and `tokens` (B, C, W), filled up with zeros, and their masks, True where
        real; `apart` (B, C): clips that overlap neither in time nor in their captions, see `apart_from`."""
        clips = [clip for item in items for clip in item.clips]
        tokens = [ids for item in items for ids in item.tokens]
        count = self.options.per_video
        video, video_mask = _padded(clips)
        ids, text_mask = _padded(tokens)
        return {
            "video": _by_video(video, count),
            "video_mask": _by_video(video_mask, count),
            "tokens": _by_video(ids.astype(np.int64), count),
            "text_mask": _by_video(text_mask, count),
            "apart": torch.from_numpy(np.stack([apart_from(item.spans) for item in items])),
        }

    def _firsts(self, random: Random, sentences: int) -> list[int]:
        """First sentences of the captions; one is there again only where there are not enough."""
        firsts: list[int] = []
        while len(firsts) < self.options.per_video:
            firsts += random.sample(range(sentences), min(sentences, self.options.per_video - len(firsts)))
        return firsts

    def _draw(
        self, random: Random, video: TanVideo, first: int
    ) -> tuple[NDArray[np.int32], tuple[float, float, int, int]]:
        """Tokens of a caption, and the spans of it and of its clip."""
        spoken = video.spoken
        wanted = random.randint(*self.options.pieces)
        tokens, last = _caption(spoken.tokens, first, wanted, self.options.pieces[1])
        start, end = float(spoken.times[first, 0]), float(spoken.times[first : last + 1, 1].max())
        length = min(random.randint(*self.options.seconds), video.rows.seconds)
        begin = round(random.uniform(start, end) - length / 2)
        begin = max(0, min(begin, video.rows.seconds - length))
        return tokens, (start, end, begin, begin + length)


def apart_from(spans: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(C,) bool: greedily from the first on, those of ordered spans (C, 4) that neither in their captions nor
    in their clips begin before the last one taken has ended."""
    taken = np.zeros(len(spans), np.bool_)
    text_end = clip_end = -np.inf
    for n, (text_from, text_to, clip_from, clip_to) in enumerate(spans):
        if text_from >= text_end and clip_from >= clip_end:
            taken[n], text_end, clip_end = True, text_to, clip_to
    return taken


@dataclass(frozen=True, slots=True, eq=False)
class TrainingClips:
    """The clips of both splits, and what made their features."""

    training: ClipSets
    validation: ClipSets | None
    origin: Origin


def load_clip_sets(data: ClipData, tokenizer: Tokenizer, seed: int = 0) -> TrainingClips:
    """Find and match everything, as `load_videos`."""
    found = load_videos(data, _with_words, tokenizer)
    held = ClipSets(found.validation, data.clips, seed) if found.validation else None
    return TrainingClips(ClipSets(found.training, data.clips, seed), held, found.origin)


def _with_words(name: str, rows: Rows, spoken: Spoken) -> TanVideo:
    """A video with the sentences that have words and begin before it ends; raises DataError without any."""
    worded = (spoken.tokens != 0).sum(axis=1) > MARKS
    inside = spoken.limited(worded & (spoken.times[:, 0] < rows.seconds))
    if not len(inside):
        raise DataError("no sentence within the video has a word")
    return TanVideo(name, rows, inside)


def _caption(tokens: NDArray[np.int32], first: int, wanted: int, most: int) -> tuple[NDArray[np.int32], int]:
    """Tokens of sentences from `first` on, between the marks of the first, and the last sentence."""
    own = tokens[first][tokens[first] != 0]
    pieces, last = own[1:-1], first
    while len(pieces) < wanted and last + 1 < len(tokens):
        last += 1
        pieces = np.concatenate([pieces, tokens[last][tokens[last] != 0][1:-1]])
    return np.concatenate([own[:1], pieces[:most], own[-1:]]), last


def _by_video(values: NDArray[np.generic], count: int) -> Tensor:
    """(B * count, ...) -> (B, count, ...)."""
    return torch.from_numpy(values.reshape(-1, count, *values.shape[1:]))


def _padded(parts: Sequence[NDArray[np.generic]]) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Parts (n, ...) filled up with zeros to (P, longest, ...), and a mask (P, longest), True where real."""
    lengths = np.array([len(part) for part in parts])
    padded = np.zeros((len(parts), lengths.max(), *parts[0].shape[1:]), parts[0].dtype)
    for row, part in zip(padded, parts, strict=True):
        row[: len(part)] = part
    mask: NDArray[np.bool_] = np.arange(lengths.max()) < lengths[:, None]
    return padded, mask

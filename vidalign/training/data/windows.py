"""Windows of features with the sentences spoken in them: what TAN learns from (Han et al., CVPR 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidalign.aligners.tokens import Tokenizer
from vidalign.errors import ConfigError, DataError
from vidalign.training.data.rows import Rows
from vidalign.training.data.spoken import Spoken, make_spoken

Sampling = Literal["corrected", "reference"]

NOTHING = "[UNK]"
"""What is said, the whole window long, where nothing usable is; `reference` only."""


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """How windows are drawn.

    `seq_len` seconds make a window. `sampling` reference is that of the published training code: the window
    begins with a random sentence that starts more than `seq_len` before the last one ends, takes the
    sentences that follow up to the first that lasts under a second there or has no known word, and where
    that leaves none it is [0, seq_len) with one unknown word spoken throughout. `corrected` takes every
    sentence of the window that lasts a second there and has a known word, begins with any such sentence of a
    video that is too short for the rule, and leaves videos without any out. Up to `jitter` seconds before its
    sentence a window may begin, so that its second 0 is not always spoken. `per_video` windows of a video
    make an epoch.
    """

    seq_len: int = 64
    sampling: Sampling = "corrected"
    jitter: int = 0
    per_video: int = 1

    def __post_init__(self) -> None:
        if self.seq_len < 2 or self.per_video < 1 or not 0 <= self.jitter < self.seq_len:
            raise ConfigError(
                f"windows of {self.seq_len} s, {self.per_video} a video, jitter {self.jitter}",
                hint="seq_len is at least 2, per_video at least 1, jitter from 0 to below seq_len",
            )
        if self.jitter and self.sampling == "reference":
            raise ConfigError("the reference's sampling knows no jitter", hint="set jitter to 0")


@dataclass(frozen=True, slots=True, eq=False)
class TanVideo:
    """One video: features by second and sentences that end before the last of them does."""

    name: str
    rows: Rows
    spoken: Spoken


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Features (t, D) with sentences: `tokens` (n, W), relative `times` (n, 2) in whole seconds, and
    `position` (n, 2), the same as shares of the video."""

    video: NDArray[np.float32]
    tokens: NDArray[np.int32]
    times: NDArray[np.int64]
    position: NDArray[np.float32]


class TanWindows:
    """A window a video and epoch, or several; a pure function of (seed, epoch, index)."""

    def __init__(
        self, videos: Sequence[TanVideo], options: WindowOptions, tokenizer: Tokenizer, seed: int = 0
    ) -> None:
        self.videos = tuple(videos)
        self.options = options
        self.seed = seed
        said = [(0, options.seq_len, NOTHING)] if options.sampling == "reference" else []
        self._nothing = make_spoken(said, tokenizer)

    def __len__(self) -> int:
        return len(self.videos) * self.options.per_video

    def item(self, epoch: int, index: int) -> Window:
        """Raises StoreError or DataError where the features cannot be read any more."""
        random = Random(f"{self.seed}/{epoch}/{index}")
        video = self.videos[index % len(self.videos)]
        start, chosen, times = self._draw(random, video)
        length = video.rows.seconds
        spoken = video.spoken if len(chosen) else self._nothing
        times[~spoken.shown[chosen], 1] = times[~spoken.shown[chosen], 0]
        if not len(chosen):
            start, chosen, times = 0, np.zeros(1, np.int64), np.array([[0, self.options.seq_len]])
        return Window(
            video=video.rows.read(start, min(start + self.options.seq_len, length)),
            tokens=spoken.tokens[chosen],
            times=times,
            position=((times + start) / length).clip(0, 1).astype(np.float32),
        )

    def collate(self, items: Sequence[Window]) -> dict[str, Tensor]:
        """`video` (B, T, D), `video_padding` (B, T), `tokens` (B, N, W), `text_padding` (B, N), `start` and
        `end` (B, N) relative seconds, `position` (B, N, 2); padding repeats the last row or sentence."""
        seconds = max(len(item.video) for item in items)
        sentences = max(len(item.tokens) for item in items)
        words = max(item.tokens.shape[1] for item in items)
        tokens = [np.pad(item.tokens, ((0, 0), (0, words - item.tokens.shape[1]))) for item in items]
        times = stacked([item.times for item in items], sentences)
        return {
            "video": torch.from_numpy(stacked([item.video for item in items], seconds)),
            "video_padding": torch.from_numpy(padding_of([len(item.video) for item in items])),
            "tokens": torch.from_numpy(stacked(tokens, sentences).astype(np.int64)),
            "text_padding": torch.from_numpy(padding_of([len(item.tokens) for item in items])),
            "start": torch.from_numpy(np.ascontiguousarray(times[..., 0])),
            "end": torch.from_numpy(np.ascontiguousarray(times[..., 1])),
            "position": torch.from_numpy(stacked([item.position for item in items], sentences)),
        }

    def _draw(self, random: Random, video: TanVideo) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
        """Start of a window, its sentences, and their times in it."""
        length, spoken = self.options.seq_len, video.spoken
        early = np.flatnonzero(spoken.times[:, 0] < spoken.times[-1:, 1] - length)
        if self.options.sampling == "reference":
            if not len(early):
                return 0, early, np.zeros((0, 2), np.int64)
            first = random.choice(early.tolist())
            start = max(0, round(spoken.times[first, 0]))
            return start, *_following(spoken, first, start, length)
        good = usable(spoken)
        choice = early[good[early]] if good[early].any() else np.flatnonzero(good)
        first = random.choice(choice.tolist())
        start = round(spoken.times[first, 0]) - random.randint(0, self.options.jitter)
        start = max(0, min(start, video.rows.seconds - length))
        times = inside(spoken, start, length)
        chosen = np.flatnonzero((times[:, 1] > times[:, 0]) & spoken.has_words)
        return start, chosen, times[chosen]


def tan_video(name: str, rows: Rows, spoken: Spoken, options: WindowOptions) -> TanVideo:
    """A video with the sentences that end before it does; raises DataError where windows need one."""
    inside = spoken.limited(spoken.times[:, 1] < rows.seconds)
    if options.sampling == "corrected" and not usable(inside).any():
        raise DataError("no sentence within the video lasts a second and has a known word")
    return TanVideo(name, rows, inside)


def usable(spoken: Spoken) -> NDArray[np.bool_]:
    """Which sentences last a second, rounded, and have a known word, (N,)."""
    times = np.rint(spoken.times)
    lasting: NDArray[np.bool_] = times[:, 1] > times[:, 0]
    return lasting & spoken.has_words


def inside(spoken: Spoken, start: int, length: int) -> NDArray[np.int64]:
    """Times (N, 2) rounded, relative to the window, and cut off at its ends."""
    return (np.rint(spoken.times).astype(np.int64) - start).clip(0, length)


def _following(
    spoken: Spoken, first: int, start: int, length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sentences from `first` on up to the first that begins after the window or cannot be used."""
    times = inside(spoken, start, length)
    good = (times[:, 1] > times[:, 0]) & spoken.has_words & (spoken.times[:, 0] < start + length)
    stop = first
    while stop < len(good) and good[stop]:
        stop += 1
    return np.arange(first, stop), times[first:stop]


def stacked(arrays: Sequence[NDArray[np.generic]], length: int) -> NDArray[np.generic]:
    """(B, length, ...), each padded by its last row."""
    return np.stack(
        [np.concatenate([array, np.repeat(array[-1:], length - len(array), axis=0)]) for array in arrays]
    )


def padding_of(lengths: Sequence[int]) -> NDArray[np.bool_]:
    """(B, longest), True past each length."""
    padding: NDArray[np.bool_] = np.arange(max(lengths)) >= np.array(lengths)[:, None]
    return padding

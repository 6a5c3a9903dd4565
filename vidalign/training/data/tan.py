"""Features and sentences for training TAN, as windows."""

from __future__ import annotations

from dataclasses import dataclass, field

from vidalign.aligners.tokens import Tokenizer
from vidalign.training.data.rows import Origin, Rows
from vidalign.training.data.spoken import Spoken
from vidalign.training.data.spoken_videos import Sources, load_videos
from vidalign.training.data.windows import TanVideo, TanWindows, WindowOptions, tan_video


@dataclass(frozen=True, slots=True)
class TanData(Sources):
    """What TAN is trained on, as windows; published are videos of 64 to 1000 s (Han et al., CVPR 2022)."""

    windows: WindowOptions = field(default_factory=WindowOptions)


@dataclass(frozen=True, slots=True, eq=False)
class TanSets:
    """The windows of both splits, what made their features, and lines on what was left out."""

    training: TanWindows
    validation: TanWindows | None
    origin: Origin
    notes: tuple[str, ...]


def load_tan_sets(data: TanData, tokenizer: Tokenizer, seed: int = 0) -> TanSets:
    """Find and match everything, as `load_videos`."""

    def make(name: str, rows: Rows, spoken: Spoken) -> TanVideo:
        return tan_video(name, rows, spoken, data.windows)

    def windows(videos: list[TanVideo]) -> TanWindows:
        return TanWindows(videos, data.windows, tokenizer, seed)

    found = load_videos(data, make, tokenizer)
    held = windows(found.validation) if found.validation else None
    return TanSets(windows(found.training), held, found.origin, found.notes)

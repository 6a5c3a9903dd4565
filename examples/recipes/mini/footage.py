"""Generated videos as the recipe sees them: their plan, their narration, and the frames that clips sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidalign.synthetic.generate import Sample, draw_sample, generate
from vidalign.synthetic.world import WorldSettings
from vidalign.types import Recipe
from vidalign.video.clips import cut_clips
from vidalign.video.open import open_video


@dataclass(frozen=True)
class Footage:
    """One video: what was planned and said, and the frames of its clips in a row, (T * N, H, W, 3) uint8."""

    sample: Sample
    frames: NDArray[np.uint8]


def make_footage(work: Path, worlds: Sequence[Mapping[str, Any]], recipe: Recipe) -> list[Footage]:
    """Generate, encode and cut the videos of some worlds; what lies in `work` already is used again."""
    footage = []
    for world in worlds:
        settings = WorldSettings(seconds=world["seconds"])
        folder = work / f"seed-{world['seed']}"
        if not (folder / "truth.json").exists():
            for written in generate(folder, world["videos"], world["seed"], settings, overwrite=True):
                print(f"generated {written.name}", flush=True)
        for index in range(world["videos"]):
            sample = draw_sample(world["seed"], index, settings)
            footage.append(Footage(sample, _frames(folder, sample.plan.name, recipe)))
    return footage


def _frames(folder: Path, name: str, recipe: Recipe) -> NDArray[np.uint8]:
    kept = folder / "frames" / f"{name}.npy"
    if kept.exists():
        return np.load(kept)
    with open_video(folder / "videos" / f"{name}.mp4") as reader:
        frames = np.concatenate([clip.pixels for clip in cut_clips(reader, recipe)])
    kept.parent.mkdir(exist_ok=True)
    np.save(kept, frames)
    return frames

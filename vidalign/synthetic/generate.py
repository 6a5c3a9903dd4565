"""Folders of generated videos: `videos/`, `subtitles/`, `truth.json`, `sentences.csv`, `world.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol

import yaml

from vidalign.errors import OutputMismatchError, UsageError
from vidalign.store.atomic import atomic_path, write_text
from vidalign.synthetic.drawing import draw_frames
from vidalign.synthetic.encoding import encode
from vidalign.synthetic.narration import Spoken, narrate
from vidalign.synthetic.settings import WorldSettings, as_knobs
from vidalign.synthetic.truth import TruthRow, truth_rows, write_sentences, write_truth
from vidalign.synthetic.world import Plan, plan_video

_PARTS = ("videos", "features", "subtitles", "truth.json", "sentences.csv", "world.yaml")
_FILES = (
    "truth.json",
    "sentences.csv",
    "world.yaml",
    "videos/{0}.mp4",
    "features/{0}.h5",
    "subtitles/{0}.vtt",
)
_NAMES = "howto-*-[0-9][0-9][0-9][0-9]"


@dataclass(frozen=True, slots=True)
class Sample:
    """One video of the world before it is written."""

    plan: Plan
    narration: tuple[Spoken, ...]

    @property
    def truth(self) -> list[TruthRow]:
        """Its rows of the truth file."""
        return truth_rows(self.plan, self.narration)


@dataclass(frozen=True, slots=True)
class Written:
    """The files of one finished video; `video` is its features file where there are only features."""

    name: str
    video: Path
    subtitles: Path
    cues: int
    alignable: int


class Writer(Protocol):
    """Writes what a sample shows, below a folder, and says where."""

    def __call__(self, folder: Path, sample: Sample) -> Path: ...


def draw_sample(seed: int, index: int, settings: WorldSettings) -> Sample:
    """Video number `index` of a seed; depends on nothing but its arguments."""
    random = Random(f"vidalign {seed}/{index}")
    plan = plan_video(sample_name(seed, index), random, settings)
    return Sample(plan, narrate(plan, random))


def sample_name(seed: int, index: int) -> str:
    """NAME of the files of one video."""
    return f"howto-{seed}-{index:04d}"


def write_video(folder: Path, sample: Sample) -> Path:
    """Draw and encode `videos/NAME.mp4`."""
    video = folder / "videos" / f"{sample.plan.name}.mp4"
    encode_sample(sample, video)
    return video


def encode_sample(sample: Sample, video: Path) -> None:
    """Draw and encode one video, atomically."""
    with atomic_path(video) as temporary:
        encode(temporary, draw_frames(sample.plan), sample.plan.settings.fps)


def generate(
    folder: Path,
    videos: int,
    seed: int,
    settings: WorldSettings | None = None,
    *,
    write: Writer = write_video,
    overwrite: bool = False,
) -> Iterator[Written]:
    """Write `videos` videos of a seed, one after the other, and at the end the truth of all.

    `write` writes what is shown: videos, or features only. Raises OutputMismatchError, before anything is
    drawn, when the folder holds generated files already and `overwrite` is not set; with it they are removed.
    """
    if videos < 1:
        raise UsageError(f"at least one video, not {videos}")
    settings = settings or WorldSettings()
    _make_room(folder, overwrite)
    samples = []
    for index in range(videos):
        sample = draw_sample(seed, index, settings)
        shown = write(folder, sample)
        subtitles = folder / "subtitles" / f"{sample.plan.name}.vtt"
        write_text(subtitles, webvtt(sample.narration, rolling=settings.rolling))
        samples.append(sample)
        rows = sample.truth
        yield Written(sample.plan.name, shown, subtitles, len(rows), sum(row.alignable for row in rows))
    write_truth(folder / "truth.json", {sample.plan.name: sample.truth for sample in samples})
    write_sentences(folder / "sentences.csv", ((sample.plan, sample.narration) for sample in samples))
    write_text(folder / "world.yaml", yaml.safe_dump(as_knobs(settings), sort_keys=False))


def webvtt(narration: Sequence[Spoken], *, rolling: bool = False) -> str:
    """The narration as a WebVTT file; `rolling` captions show the line before above each new one."""
    above = ["", *(f"{cue.text}\n" for cue in narration)] if rolling else [""] * len(narration)
    cues = [
        f"{_clock(cue.start)} --> {_clock(cue.end)}\n{before}{cue.text}\n"
        for before, cue in zip(above, narration, strict=False)
    ]
    return "\n".join(["WEBVTT\n", *cues])


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{rest:03d}"


def _make_room(folder: Path, overwrite: bool) -> None:
    """Check that the folder holds no generated files, or remove those that it holds."""
    present = [folder / part for part in _PARTS if (folder / part).exists()]
    if not present:
        return
    if not overwrite:
        raise OutputMismatchError(
            f"{folder} holds generated files already ({present[0].name})",
            hint="choose another folder, or --overwrite to replace them",
        )
    for pattern in _FILES:
        for path in folder.glob(pattern.format(_NAMES)):
            path.unlink()

"""Folders of generated videos: `videos/NAME.mp4`, `subtitles/NAME.vtt`, `truth.json`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from vidalign.errors import OutputMismatchError, UsageError
from vidalign.store.atomic import atomic_path, write_text
from vidalign.synthetic.drawing import draw_frames
from vidalign.synthetic.encoding import encode
from vidalign.synthetic.narration import Spoken, narrate
from vidalign.synthetic.truth import Truth, TruthRow, truth_rows, write_truth
from vidalign.synthetic.world import Plan, WorldSettings, plan_video

_PARTS = ("videos", "subtitles", "truth.json")
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
    """The files of one finished video."""

    name: str
    video: Path
    subtitles: Path
    cues: int
    alignable: int


def draw_sample(seed: int, index: int, settings: WorldSettings) -> Sample:
    """Video number `index` of a seed; depends on nothing but its arguments."""
    random = Random(f"vidalign {seed}/{index}")
    plan = plan_video(sample_name(seed, index), random, settings)
    return Sample(plan, narrate(plan, random))


def sample_name(seed: int, index: int) -> str:
    """NAME of the files of one video."""
    return f"howto-{seed}-{index:04d}"


def generate(
    folder: Path, videos: int, seed: int, settings: WorldSettings | None = None, *, overwrite: bool = False
) -> Iterator[Written]:
    """Write `videos` videos of a seed, one after the other, and at the end the truth of all.

    Raises OutputMismatchError, before anything is drawn, when the folder holds generated files already and
    `overwrite` is not set; with it they are removed first.
    """
    if videos < 1:
        raise UsageError(f"at least one video, not {videos}")
    _make_room(folder, overwrite)
    truth: Truth = {}
    for index in range(videos):
        sample = draw_sample(seed, index, settings or WorldSettings())
        name = sample.plan.name
        video, subtitles = folder / "videos" / f"{name}.mp4", folder / "subtitles" / f"{name}.vtt"
        write_sample(sample, video, subtitles)
        truth[name] = sample.truth
        yield Written(name, video, subtitles, len(truth[name]), sum(row.alignable for row in truth[name]))
    write_truth(folder / "truth.json", truth)


def write_sample(sample: Sample, video: Path, subtitles: Path) -> None:
    """Write one video and its narration, each atomically."""
    with atomic_path(video) as temporary:
        encode(temporary, draw_frames(sample.plan), sample.plan.settings.fps)
    write_text(subtitles, webvtt(sample.narration))


def webvtt(narration: Sequence[Spoken]) -> str:
    """The narration as a WebVTT file."""
    cues = [f"{_clock(cue.start)} --> {_clock(cue.end)}\n{cue.text}\n" for cue in narration]
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
    for pattern in ("truth.json", f"videos/{_NAMES}.mp4", f"subtitles/{_NAMES}.vtt"):
        for path in folder.glob(pattern):
            path.unlink()

"""Videos whose steps are annotated, as CrossTask's are (Zhukov et al., CVPR 2019): whole, in windows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidalign.aligners.tokens import Tokenizer
from vidalign.aligners.windowing import pieces
from vidalign.errors import ConfigError, DataError, StoreError
from vidalign.evaluation.crosstask import (
    Shown,
    Task,
    annotation_files,
    learned_from,
    read_annotation,
    read_tasks,
    read_videos,
)
from vidalign.evaluation.files import NamedFiles, features_files
from vidalign.training.data.rows import OneOrigin, Origin, Rows, open_rows
from vidalign.training.data.sources import Gathered, Holding, log, read_names, split

NOTHING = -1
"""What fills up numbers that count from 0."""


@dataclass(frozen=True, slots=True)
class StepData:
    """Features files by the names of their videos, CrossTask's list of `tasks`, its folder of `annotations`.

    With its list `videos` only the published training split is used, `train` of each task's videos, and
    `validation_videos` are those that validate. Without, all annotated videos are used, as `holding` says.
    """

    features: Path
    tasks: Path
    annotations: Path
    videos: Path | None = None
    validation_videos: Path | None = None
    train: int = 30
    holding: Holding = field(default_factory=Holding)

    def __post_init__(self) -> None:
        if self.validation_videos is not None and self.videos is None:
            raise ConfigError("validation_videos goes with videos", hint="name the list of videos too")
        if self.train < 1:
            raise ConfigError(f"train must be above 0, not {self.train}")


@dataclass(frozen=True, slots=True, eq=False)
class StepVideo:
    """A video of a task: its seconds, the `tokens` (K, W) of the task's steps, and when they are shown.

    `shown` are whole seconds within the video, [start, end), in the order of their starts.
    """

    task: str
    video: str
    rows: Rows
    tokens: NDArray[np.int32]
    shown: tuple[tuple[int, int, int], ...]
    annotation: Path

    @property
    def name(self) -> str:
        """As its annotation is called."""
        return self.annotation.stem


@dataclass(frozen=True, slots=True, eq=False)
class StepItem:
    """A video in `windows` (t, D) each that begin at `starts`, and what it shows, `truth` (T, K).

    `sequence` (S,) are the steps that are shown, one after the other, `frames` (F,) seconds that show them,
    `stretch` (F,) the number of the one that each of these is drawn from.
    """

    windows: tuple[NDArray[np.float32], ...]
    starts: tuple[int, ...]
    tokens: NDArray[np.int32]
    truth: NDArray[np.bool_]
    sequence: NDArray[np.int64]
    frames: NDArray[np.int64]
    stretch: NDArray[np.int64]


class StepSets:
    """One video an item, in windows of `size` seconds every half of it; a pure function of
    (seed, epoch, index). Of each stretch that shows a step at most `frames` seconds are drawn."""

    def __init__(self, videos: Sequence[StepVideo], size: int, frames: int, seed: int = 0) -> None:
        self.videos = tuple(videos)
        self.size = size
        self.frames = frames
        self.seed = seed

    def __len__(self) -> int:
        return len(self.videos)

    def item(self, epoch: int, index: int) -> StepItem:
        """Raises StoreError or DataError where the features cannot be read any more."""
        random = Random(f"{self.seed}/{epoch}/{index}")
        video = self.videos[index]
        seconds = video.rows.seconds
        whole, spans = video.rows.read(0, seconds), pieces(0, seconds, self.size)
        truth = np.zeros((seconds, len(video.tokens)), np.bool_)
        for step, start, end in video.shown:
            truth[start:end, step] = True
        drawn = [
            sorted(random.sample(range(start, end), min(self.frames, end - start)))
            for _, start, end in video.shown
        ]
        return StepItem(
            windows=tuple(whole[start:stop] for start, stop in spans),
            starts=tuple(start for start, _ in spans),
            tokens=video.tokens,
            truth=truth,
            sequence=np.array([step for step, _, _ in video.shown], np.int64),
            frames=np.concatenate(drawn).astype(np.int64),
            stretch=np.repeat(np.arange(len(drawn)), [len(part) for part in drawn]).astype(np.int64),
        )

    def collate(self, items: Sequence[StepItem]) -> dict[str, Tensor]:
        """`video` (B, N, t, D) with `seconds` (B, N, t), which one of the video each is, the steps' `tokens`
        (B, K, W), `truth` (B, T, K), `sequence` (B, S), `frames` and `stretch` (B, F). Features, tokens and
        truth are filled up with zeros, numbers with NOTHING."""
        seconds = [
            filled([np.arange(start, start + len(part)) for start, part in zip(*where, strict=True)], NOTHING)
            for where in ((item.starts, item.windows) for item in items)
        ]
        arrays = {
            "video": filled([filled(item.windows) for item in items]),
            "seconds": filled(seconds, NOTHING),
            "tokens": filled([item.tokens.astype(np.int64) for item in items]),
            "truth": filled([item.truth for item in items]),
            **{
                name: filled([getattr(item, name) for item in items], NOTHING)
                for name in ("sequence", "frames", "stretch")
            },
        }
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def filled(parts: Sequence[NDArray[np.generic]], value: int = 0) -> NDArray[np.generic]:
    """Parts of as many dimensions, filled up at their ends with `value` to one size, in one array."""
    shape = np.max([part.shape for part in parts], axis=0)
    found = np.full((len(parts), *shape), value, parts[0].dtype)
    for row, part in zip(found, parts, strict=True):
        row[tuple(slice(size) for size in part.shape)] = part
    return found


@dataclass(frozen=True, slots=True, eq=False)
class StepVideos:
    """The videos of both splits, their tasks and files, and what made the features."""

    training: list[StepVideo]
    validation: list[StepVideo]
    tasks: Mapping[str, Task]
    files: NamedFiles
    origin: Origin


def load_step_videos(data: StepData, tokenizer: Tokenizer) -> StepVideos:
    """Find and match everything; raises ConfigError, DataError, UsageError.

    A single video that cannot be used is left out with a warning, but features made in different ways are
    refused.
    """
    tasks, files = read_tasks(data.tasks), features_files(data.features)
    annotated = annotation_files(data.annotations, tasks)
    reader = _Reader(tasks, annotated, files, tokenizer, read_names(data.holding.hold_out))
    if data.videos is None:
        learned, held = split(reader.videos(annotated), data.holding)
    else:
        listed = read_videos(data.videos)
        validating = read_videos(data.validation_videos) if data.validation_videos is not None else {}
        chosen = learned_from(listed, tasks, train=data.train, validation=validating)
        learned = reader.videos(chosen)
        held = reader.videos({(task, name) for task, names in validating.items() for name in names})
        if data.validation_videos is None:
            learned, held = split(learned, data.holding)
    if not learned:
        raise DataError(
            f"no video annotated in {data.annotations} can be trained on",
            hint="see the warnings, and the paths in the configuration",
        )
    return StepVideos(learned, held, tasks, files, reader.same.origin)


class _Reader:
    """Makes videos of annotations and holds their features against the first ones."""

    def __init__(
        self,
        tasks: Mapping[str, Task],
        annotated: Mapping[tuple[str, str], Path],
        files: NamedFiles,
        tokenizer: Tokenizer,
        held_out: Collection[str],
    ) -> None:
        self.same = OneOrigin()
        self._tokens = {name: _step_tokens(task, tokenizer) for name, task in tasks.items()}
        self._annotated = annotated
        self._files = files
        self._held_out = held_out

    def videos(self, chosen: Collection[tuple[str, str]]) -> list[StepVideo]:
        """The chosen that are annotated and can be used: the first of every task, then the second ones."""
        gathered: Gathered[StepVideo] = Gathered()
        for (task, video), annotation in self._annotated.items():
            if (task, video) not in chosen:
                continue
            if {video, annotation.stem} & set(self._held_out):
                gathered.leave_out("held out", annotation.stem)
                continue
            try:
                gathered.videos.append(self._make(task, video, annotation))
            except (StoreError, DataError) as error:
                gathered.fail(error, annotation.stem)
        for line in gathered.lines():
            log.warning("%s", line)
        return _in_turn(gathered.videos)

    def _make(self, task: str, video: str, annotation: Path) -> StepVideo:
        path, tokens = self._files.find(video), self._tokens[task]
        if path is None:
            raise DataError("no features")
        rows, origin = open_rows(path)
        shown = whole_seconds(read_annotation(annotation, len(tokens)), rows.seconds)
        if not shown:
            raise DataError("no step is shown within the video")
        self.same.compare(path, origin)
        return StepVideo(task, video, rows, tokens, shown, annotation)


def whole_seconds(shown: Sequence[Shown], seconds: int) -> tuple[tuple[int, int, int], ...]:
    """Step, first second and end of what is shown within so many seconds, in order, as recall counts it."""
    spans = ((math.floor(start), min(math.ceil(end), seconds), step) for step, start, end in shown)
    return tuple((step, start, end) for start, end, step in sorted(spans) if start < end)


def _step_tokens(task: Task, tokenizer: Tokenizer) -> NDArray[np.int32]:
    """Ids (K, W) of the steps, padded with 0; columns that only pad are cut off."""
    ids, mask = tokenizer(task.steps)
    return (ids * mask)[:, : mask.sum(axis=1).max()].astype(np.int32)


def _in_turn(videos: Sequence[StepVideo]) -> list[StepVideo]:
    """The first video of every task, then the second of every one, so that a share of them has all tasks."""
    before: Counter[str] = Counter()
    places = []
    for number, video in enumerate(videos):
        places.append((before[video.task], video.task, number))
        before[video.task] += 1
    return [videos[number] for *_, number in sorted(places)]

"""CrossTask's files, and recall as its authors count it (Zhukov et al., CVPR 2019)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidalign.errors import DataError
from vidalign.evaluation.files import read_text
from vidalign.evaluation.steps import Located

_RECORD = "a task is five lines: number, title, URL, how many steps, steps with commas; then an empty line"


@dataclass(frozen=True, slots=True)
class Task:
    """What is done, and the steps of doing it."""

    id: str
    title: str
    steps: tuple[str, ...]


class Shown(NamedTuple):
    """Step number `step` (from 0) is shown from `start` to `end` seconds."""

    step: int
    start: float
    end: float


def read_tasks(path: Path) -> dict[str, Task]:
    """Read `tasks_primary.txt` or `tasks_related.txt`; raises DataError."""
    lines = [line.strip() for line in read_text(path).splitlines()]
    tasks: dict[str, Task] = {}
    number = 0
    while number < len(lines):
        if not lines[number]:
            number += 1
            continue
        record = lines[number : number + 5]
        if len(record) < 5 or not _is_count(record[3]):
            raise DataError(f"{path}:{number + 1}: this is no task", hint=_RECORD)
        steps = tuple(step.strip() for step in record[4].split(","))
        if len(steps) != int(record[3]) or not all(steps):
            raise DataError(f"{path}:{number + 5}: {len(steps)} steps, not {record[3]}", hint=_RECORD)
        tasks[record[0]] = Task(record[0], record[1], steps)
        number += 5
    if not tasks:
        raise DataError(f"{path} has no task", hint=_RECORD)
    return tasks


def read_videos(path: Path) -> dict[str, list[str]]:
    """Read `videos.csv` or `videos_val.csv`, lines task,video,url: the videos of each task, in order."""
    videos: dict[str, list[str]] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        task, comma, rest = line.strip().partition(",")
        if not comma or not rest:
            raise DataError(f"{path}:{number}: this names no video", hint="expected: task,video,url")
        videos.setdefault(task, []).append(rest.partition(",")[0])
    if not videos:
        raise DataError(f"{path} has no video", hint="expected lines task,video,url")
    return videos


def read_annotation(path: Path, steps: int) -> tuple[Shown, ...]:
    """Read TASK_VIDEO.csv, lines step,start,end with steps from 1; raises DataError."""
    found = tuple(
        _shown(line, steps, f"{path}:{number}")
        for number, line in enumerate(read_text(path).splitlines(), 1)
        if line.strip()
    )
    if not found:
        raise DataError(f"{path} shows no step", hint="expected lines step,start,end")
    return found


def annotation_files(folder: Path, tasks: Collection[str]) -> dict[tuple[str, str], Path]:
    """The files TASK_VIDEO.csv of these tasks by task and video; raises DataError where there is none."""
    found = {}
    for path in sorted(Path(folder).glob("*.csv")):
        task, _, video = path.stem.partition("_")
        if task in tasks and video:
            found[task, video] = path
    if not found:
        raise DataError(f"{folder} has no annotation of these tasks", hint="expected: TASK_VIDEO.csv")
    return found


def held_out(
    videos: Mapping[str, Sequence[str]],
    tasks: Collection[str],
    *,
    train: int,
    validation: Mapping[str, Sequence[str]],
    seed: int = 0,
) -> set[tuple[str, str]]:
    """Task and video of the test split: all but the validation's and `train` drawn ones of each of the tasks.

    The draw is that of the published code; a task with no more videos than `train` has none in the test.
    """
    generator = np.random.RandomState(seed)
    chosen: set[tuple[str, str]] = set()
    for task, left in _not_validated(videos, tasks, validation):
        if len(left) > train:
            drawn = set(generator.choice(left, train, replace=False).tolist())
            chosen |= {(task, video) for video in left if video not in drawn}
    return chosen


def learned_from(
    videos: Mapping[str, Sequence[str]],
    tasks: Collection[str],
    *,
    train: int,
    validation: Mapping[str, Sequence[str]],
    seed: int = 0,
) -> set[tuple[str, str]]:
    """Task and video of the training split: what neither validates nor is in the test split, `held_out`."""
    every = {(task, video) for task, left in _not_validated(videos, tasks, validation) for video in left}
    return every - held_out(videos, tasks, train=train, validation=validation, seed=seed)


def steps_found(located: Located, shown: Sequence[Shown], seconds: float) -> dict[int, bool]:
    """Of each step that is shown in a video of that length, whether its second is one of those that show it.

    A step is shown from the whole second before `start` to the one after `end`.
    """
    found: dict[int, bool] = {}
    for step, start, end in shown:
        low, high = math.floor(start), math.ceil(end)
        if low < min(high, seconds):
            at = float(located.seconds[step])
            found[step] = found.get(step, False) or low <= at < high
    return found


def mean_recall(hits: NDArray[np.bool_], tasks: NDArray[np.intp]) -> float:
    """Recall of each task's steps in all of its videos, averaged over tasks; NaN of nothing."""
    if not len(hits):
        return math.nan
    counts = np.bincount(tasks)
    return float(np.mean(np.bincount(tasks, weights=hits)[counts > 0] / counts[counts > 0]))


def _not_validated(
    videos: Mapping[str, Sequence[str]], tasks: Collection[str], validation: Mapping[str, Sequence[str]]
) -> list[tuple[str, list[str]]]:
    """The tasks in their order, with the videos that do not validate."""
    return [
        (task, [video for video in videos[task] if video not in validation.get(task, ())])
        for task in videos
        if task in tasks
    ]


def _is_count(text: str) -> bool:
    """Whether that many steps can be; longer ones Python does not even read as numbers."""
    return text.isdecimal() and len(text) < 10


def _shown(line: str, steps: int, where: str) -> Shown:
    parts = line.strip().split(",")
    try:
        step, start, end = int(parts[0]), float(parts[1]), float(parts[2])
    except (ValueError, IndexError):
        raise DataError(f"{where}: {line.strip()!r} is no step", hint="expected: step,start,end") from None
    if not 1 <= step <= steps:
        raise DataError(f"{where}: there is no step {step}, the task has {steps}")
    if not 0 <= start <= end < math.inf:
        raise DataError(f"{where}: {parts[1]} to {parts[2]} seconds is no stretch of time")
    return Shown(step - 1, start, end)

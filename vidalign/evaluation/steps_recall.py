"""Many videos of many tasks: which of their steps were found (Zhukov et al., CVPR 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vidalign.aligners.registry import Aligner
from vidalign.errors import DataError, VidalignError
from vidalign.evaluation.bootstrap import Estimate, estimate
from vidalign.evaluation.crosstask import (
    Task,
    held_out,
    mean_recall,
    read_annotation,
    read_videos,
    steps_found,
)
from vidalign.evaluation.files import NamedFiles
from vidalign.evaluation.leftout import LeftOut, Progress, silent
from vidalign.evaluation.steps import evidence_of, place
from vidalign.store.features import read_features

Annotated = Mapping[tuple[str, str], Path]
"""The annotation of each task and video."""


@dataclass(slots=True)
class Recalled:
    """One entry a step that is shown: whether it was found, its task, and the number of its video."""

    hits: list[bool] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    @property
    def videos(self) -> int:
        """How many videos show a step."""
        return len(set(self.numbers))

    def by_task(self) -> dict[str, float]:
        """Recall of the steps in all videos of each task."""
        hits, tasks = np.array(self.hits), np.array(self.tasks)
        return {task: float(hits[tasks == task].mean()) for task in dict.fromkeys(self.tasks)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What each decoder found, and the videos left out."""

    decoders: Mapping[str, Recalled]
    missing: tuple[str, ...]
    failed: Mapping[str, VidalignError]


def locate_all(
    aligner: Aligner,
    tasks: Mapping[str, Task],
    annotated: Annotated,
    files: NamedFiles,
    decoders: Sequence[str],
    *,
    progress: Progress = silent,
) -> Outcome:
    """Place the steps of every annotated video by every decoder; a bad file does not stop the others.

    Raises DataError where not one video is left.
    """
    recalled = {decoder: Recalled() for decoder in decoders}
    left, done = LeftOut(), 0
    for number, ((task, video), annotation) in enumerate(annotated.items()):
        progress(number, video)
        steps = tasks[task].steps
        with left.bad(video):
            path = files.find(video)
            if path is None:
                left.missing.append(video)
                continue
            features, shown = read_features(path), read_annotation(annotation, len(steps))
            evidence, end = evidence_of(features, steps, aligner), float(features.times.max())
            found = [steps_found(place(evidence, steps, name), shown, end) for name in decoders]
            done += 1
            for decoder, of_steps in zip(decoders, found, strict=True):
                recalled[decoder].hits += of_steps.values()
                recalled[decoder].tasks += [task] * len(of_steps)
                recalled[decoder].numbers += [number] * len(of_steps)
    if not done:
        raise left.why(DataError("there are features for none of the videos"))
    return Outcome(recalled, tuple(left.missing), left.failed)


def recall_of(recalled: Recalled, *, resamples: int = 1000, seed: int = 0) -> Estimate:
    """Mean over tasks of the recall of their steps, with its interval over videos."""
    hits = np.array(recalled.hits, dtype=bool)
    tasks = np.unique(np.array(recalled.tasks), return_inverse=True)[1]
    numbers = np.array(recalled.numbers, dtype=np.intp)
    return estimate(
        lambda rows: {"recall": mean_recall(hits[rows], tasks[rows])},
        numbers,
        resamples=resamples,
        seed=seed,
    )["recall"]


def split_of(
    annotated: Annotated, tasks: Mapping[str, Task], *, train: int, videos: Path, validation: Path | None
) -> dict[tuple[str, str], Path]:
    """The annotations of the test split of lists of videos; raises DataError where there is none."""
    left_out = {} if validation is None else read_videos(validation)
    chosen = held_out(read_videos(videos), tasks, train=train, validation=left_out)
    found = {key: path for key, path in annotated.items() if key in chosen}
    if not found:
        raise DataError(f"no annotated video is in the test split of {videos}", hint="lower --train")
    return found

"""Few-shot action recognition by matching sequences of clips: the protocol of OTAM (Cao et al., CVPR 2020).

An episode draws classes, of each some videos as examples and others as questions. A question is answered with
the class whose examples are nearest; nothing is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidalign.errors import DataError
from vidalign.evaluation.bootstrap import Estimate
from vidalign.evaluation.full_video import Measure, sequence_distances

Sequence2d = NDArray[np.floating]

NORMAL = 1.96
"""Standard errors on either side of a mean that hold 95 % of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Setting:
    """`ways` classes with `shots` examples and `questions` questions each."""

    ways: int = 5
    shots: int = 1
    questions: int = 1


class Episode(NamedTuple):
    """Numbers of videos: examples (ways, shots), and questions (ways, questions) of the same classes."""

    examples: NDArray[np.intp]
    questions: NDArray[np.intp]


def check_classes(labels: Sequence[str], setting: Setting) -> None:
    """Raise DataError where there are too few classes, or a class has too few videos."""
    names, counts = np.unique(np.asarray(labels), return_counts=True)
    if len(names) < setting.ways:
        raise DataError(f"{len(names)} classes are too few for {setting.ways} ways", hint="lower --ways")
    needed = setting.shots + setting.questions
    if counts.min(initial=needed) < needed:
        least = int(counts.argmin())
        raise DataError(
            f"class {names[least]} has {counts[least]} of the {needed} videos that an episode draws",
            hint="lower --shots or --questions, or leave the class out",
        )


def episodes(labels: Sequence[str], setting: Setting, count: int, seed: int = 0) -> Iterator[Episode]:
    """The same episodes for the same labels and seed; raises DataError as `check_classes` does."""
    check_classes(labels, setting)
    numbers = np.unique(np.asarray(labels), return_inverse=True)[1]
    members = [np.flatnonzero(numbers == number) for number in range(numbers.max() + 1)]
    generator = np.random.default_rng(seed)
    for _ in range(count):
        chosen = generator.choice(len(members), setting.ways, replace=False)
        drawn = np.stack(
            [
                generator.choice(members[k], setting.shots + setting.questions, replace=False)
                for k in chosen.tolist()
            ]
        )
        yield Episode(drawn[:, : setting.shots], drawn[:, setting.shots :])


def spread(features: Sequence2d, clips: int) -> NDArray[np.float64]:
    """Unit vectors of `clips` clips spread evenly over a video's (T, D), or of all where `clips` is 0."""
    values = np.asarray(features, dtype=np.float64)
    if clips:
        middles = (np.arange(clips) + 0.5) * len(values) / clips
        values = values[middles.astype(np.intp)]
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.maximum(norms, 1e-12), dtype=np.float64)


def accuracy(
    videos: Sequence[NDArray[np.float64]], drawn: Iterator[Episode], measure: Measure
) -> Iterator[float]:
    """Of each episode the share of questions answered rightly, from unit vectors (T, D) of each video.

    A class is as far as its examples are in the mean; equally near ones are drawn from.
    """
    for episode in drawn:
        ways, shots = episode.examples.shape
        matrices = [
            1 - videos[question] @ videos[example].T
            for question in episode.questions.ravel().tolist()
            for example in episode.examples.ravel().tolist()
        ]
        distances = sequence_distances(matrices, measure, "sum").reshape(-1, ways, shots).mean(axis=2)
        right = np.repeat(np.arange(ways), episode.questions.shape[1])
        nearest = np.isclose(distances, distances.min(axis=1, keepdims=True), rtol=0, atol=1e-12)
        yield float((nearest[np.arange(len(right)), right] / nearest.sum(axis=1)).mean())


def mean_accuracy(
    videos: Sequence[NDArray[np.float64]],
    labels: Sequence[str],
    measure: Measure,
    setting: Setting,
    *,
    count: int = 1000,
    seed: int = 0,
    progress: Callable[[int], None] = lambda done: None,
) -> Estimate:
    """Mean accuracy over `count` episodes with its 95 % interval, of the episodes, not of the videos."""
    found = np.empty(count)
    for number, share in enumerate(accuracy(videos, episodes(labels, setting, count, seed), measure)):
        progress(number)
        found[number] = share
    mean = float(found.mean())
    margin = NORMAL * float(found.std(ddof=1)) / count**0.5 if count > 1 else float("nan")
    return Estimate(mean, mean - margin, mean + margin)

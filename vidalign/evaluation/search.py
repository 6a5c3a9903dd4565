"""Where in a folder of videos something is shown that is asked for in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.align import check_features
from vidalign.aligners.decoders.peak import clip_cells, run_around
from vidalign.aligners.registry import Aligner
from vidalign.aligners.scores import Embedder, SegmentEmbedder
from vidalign.aligners.windowing import Windowing, plan_windows
from vidalign.errors import DataError, VidalignError
from vidalign.evaluation.files import NamedFiles
from vidalign.evaluation.leftout import LeftOut, Progress, silent
from vidalign.evaluation.retrieval import embedder_of, unit
from vidalign.store.features import read_features
from vidalign.types import Features

Vectors = NDArray[np.float32]

_TOGETHER = 32
"""Windows that run together."""


class Hit(NamedTuple):
    """`start` to `end` (seconds) of a video, and the highest similarity there."""

    video: str
    start: float
    end: float
    score: float


@dataclass(frozen=True, slots=True)
class Found:
    """The best hits of each text, the best first, and the videos whose files are bad."""

    hits: tuple[tuple[Hit, ...], ...]
    failed: Mapping[str, VidalignError]


def search(
    aligner: Aligner,
    texts: Sequence[str],
    files: NamedFiles,
    *,
    top: int = 10,
    progress: Progress = silent,
) -> Found:
    """The `top` stretches of all videos for each text, by cosine or dot product with each clip.

    A bad file does not stop the others. Raises ModelError for a model without vectors, DataError for no
    text, or where not one video is left.
    """
    scorer = embedder_of(aligner)
    if not texts or not all(text.strip() for text in texts):
        raise DataError("an empty text finds nothing", hint="say in words what to look for")
    asked = scorer.embed_texts(texts)
    asked = unit(asked) if scorer.score_name == "cosine" else asked
    hits: list[list[Hit]] = [[] for _ in texts]
    left = LeftOut()
    for number, (video, path) in enumerate(every_file(files)):
        progress(number, video)
        with left.bad(video):
            features = read_features(path)
            check_features(features, aligner)
            scores = asked @ clip_vectors(scorer, features).T
            for so_far, row in zip(hits, scores, strict=True):
                so_far += best_stretches(video, row, features.times, top)
                so_far[:] = sorted(so_far, key=lambda hit: -hit.score)[:top]
    if not any(hits):
        raise left.why(
            DataError(
                "there is no features file in the folder",
                hint="make them with `vidalign extract VIDEOS -o DIR`",
            )
        )
    return Found(tuple(map(tuple, hits)), left.failed)


def every_file(files: NamedFiles) -> Iterator[tuple[str, Path]]:
    """Names and paths; files that share a name go by their paths."""
    return (
        (name if len(paths) == 1 else str(path), path)
        for name, paths in files.whole.items()
        for path in paths
    )


def best_stretches(
    video: str, scores: NDArray[np.floating], times: NDArray[np.float64], count: int
) -> list[Hit]:
    """The `count` highest peaks of scores (T,), each with the run around it that no higher one has."""
    cells, last_clip = clip_cells(times), len(scores) - 1
    sides = np.pad(scores, 1, constant_values=-np.inf)
    is_peak = (scores >= sides[:-2]) & (scores >= sides[2:])
    taken = np.zeros(len(scores), dtype=bool)
    hits: list[Hit] = []
    for best in np.argsort(-scores, kind="stable").tolist():
        if len(hits) == count:
            break
        if taken[best] or not is_peak[best]:
            continue
        used = np.flatnonzero(taken)
        low, high = used[used < best].max(initial=-1) + 1, used[used > best].min(initial=last_clip + 1) - 1
        first, last = run_around(scores, best, int(low), int(high))
        taken[first : last + 1] = True
        hits.append(Hit(video, float(cells[first, 0]), float(cells[last, 1]), float(scores[best])))
    return hits


def clip_vectors(scorer: Embedder, features: Features) -> Vectors:
    """Vectors (T, C) of the clips of a video, unit vectors where they are compared by cosine.

    Of a scorer that sees a window at a time, the mean over its windows.
    """
    values = features.features
    if isinstance(scorer, SegmentEmbedder):
        return _compared(scorer, scorer.embed_seconds(values[None])[0])
    windows = plan_windows(features.times, np.array([np.nan]), Windowing())
    stacked = np.stack([values[window.start : window.stop] for window in windows])
    batches = range(0, len(windows), _TOGETHER)
    embedded = np.concatenate(
        [_compared(scorer, scorer.embed_seconds(stacked[i : i + _TOGETHER])) for i in batches]
    )
    total = np.zeros((len(values), embedded.shape[-1]), dtype=np.float32)
    count = np.zeros((len(values), 1), dtype=np.float32)
    for window, vectors in zip(windows, embedded, strict=True):
        total[window.start : window.stop] += vectors
        count[window.start : window.stop] += 1
    return _compared(scorer, total / count)


def _compared(scorer: Embedder, vectors: Vectors) -> Vectors:
    return unit(vectors) if scorer.score_name == "cosine" else vectors

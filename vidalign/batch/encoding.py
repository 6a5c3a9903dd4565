"""The features of one video, read and encoded in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from vidalign.batch.extraction import Extraction
from vidalign.batch.pipeline import Pipeline, Settings, Work
from vidalign.types import Features

Progress = Callable[[float, float | None], None]
"""Called, from another thread, with the seconds of video done and the video's length, if known."""


def extract_features(video: Path, extraction: Extraction, progress: Progress | None = None) -> Features:
    """The features of one video; raises VideoError where there is no picture to read or not one clip."""
    (features,) = extract_together(video, [extraction], progress)
    return features


def extract_together(
    video: Path, extractions: Sequence[Extraction], progress: Progress | None = None
) -> list[Features]:
    """The features that each extraction makes of one video, from one pass over it; raises what goes wrong.

    All read with the first one's reader.
    """

    def unguarded(work: Callable[[], None], video: Path) -> None:
        work()

    def told(key: object, done: float, length: float | None) -> None:
        if progress is not None:
            progress(done, length)

    with (
        Pipeline(Settings(workers=0), unguarded) as pipeline,
        closing(pipeline.extract_many([Work(None, video, extractions)], told)) as made,
    ):
        return [result for result in next(made).results if isinstance(result, Features)]

"""One backbone's part in one video: the rows that come back for its clips, and the features they make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidalign._version import __version__
from vidalign.batch.extraction import Dtype, Extraction
from vidalign.batch.pooling import pool
from vidalign.batch.reading import Reading
from vidalign.errors import VidalignError, VideoError
from vidalign.types import Features, Recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vidalign.video.clips import Clip


class Making:
    """Features under way: `error` says why there will be none."""

    def __init__(self, video: Path, extraction: Extraction) -> None:
        self.extraction = extraction
        self.error: VidalignError | None = None
        self._video = video
        self._times: list[tuple[float, float]] = []
        self._rows: list[NDArray[np.float32]] = []

    @property
    def waits(self) -> bool:
        """Whether rows are still to come for clips that were added."""
        return self.error is None and len(self._rows) < len(self._times)

    def expect(self, clip: Clip) -> None:
        """A row is to come for this clip."""
        self._times.append((clip.start, clip.end))

    def take(self, row: NDArray[np.float32]) -> None:
        """The next row, (D,)."""
        self._rows.append(row)

    def features(self, reading: Reading) -> Features:
        """All of it, once nothing is waited for; raises VideoError where there is no clip."""
        import numpy as np

        extraction, recipe = self.extraction, self.extraction.resolved_recipe
        if not self._times:
            raise _no_clip(self._video, reading, recipe)
        rows, times = np.stack(self._rows), self._times
        if extraction.gvf is not None:
            rows, times = pool(rows, times, extraction.gvf)
        return Features(
            features=_as_dtype(rows, extraction.dtype, self._video),
            times=np.array(times, dtype=np.float64),
            backbone=extraction.card.name,
            recipe=recipe,
            weights_sha256=extraction.weights_sha256,
            precision=extraction.place.precision,
            runtime=extraction.runtime_told,
            reader=reading.reader,
            video=self._video.name,
            video_size=reading.size,
            duration=reading.duration,
            video_start=reading.video_start,
            truncated=reading.truncated,
            decoded_until=reading.decoded_until,
            pooling=extraction.gvf,
            vidalign_version=__version__,
        )


def _as_dtype(values: NDArray[np.float32], dtype: Dtype, video: Path) -> NDArray[Any]:
    import numpy as np

    if not np.isfinite(values).all():
        raise VideoError(f"{video}: the model gives NaN or infinity", hint="check its weights")
    with np.errstate(over="ignore"):
        result: NDArray[Any] = values.astype(dtype)
    if not np.isfinite(result).all():
        raise VideoError(f"{video}: the features are too large for {dtype}", hint="use --dtype float32")
    return result


def _no_clip(video: Path, reading: Reading, recipe: Recipe) -> VideoError:
    needed = f"{recipe.frames * recipe.step} frames"
    if recipe.fps != "native":
        needed = f"{float(recipe.clip_seconds):g} s"
    if reading.truncated:
        return VideoError(f"{video} breaks off before its first clip of {needed}", hint="get the file again")
    if recipe.tail != "drop" or recipe.sampling != "stride":
        return VideoError(f"{video} holds no picture that can be decoded", hint="check that it plays")
    return VideoError(
        f"{video} is too short for one clip of {needed} by recipe {recipe.name}",
        hint="give a --recipe with tail: repeat or zero",
    )

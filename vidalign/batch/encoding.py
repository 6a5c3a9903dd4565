"""One video through one backbone or several: decoded once, a thread ahead of the networks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidalign._version import __version__
from vidalign.batch.extraction import Dtype, Extraction
from vidalign.batch.pooling import pool
from vidalign.batch.prefetch import prefetch
from vidalign.errors import VidalignError, VideoError
from vidalign.types import Features, Recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vidalign.video.clips import Clip
    from vidalign.video.protocol import VideoInfo, VideoReader

log = logging.getLogger(__name__)

Progress = Callable[[float, float | None], None]
"""Called with the seconds of video done and the video's length in seconds, if known."""

Guard = Callable[[Callable[[], None]], VidalignError | None]
"""Does something for one backbone; gives the error that is this backbone's alone, raises any other."""

AHEAD_BYTES = 64 * 2**20
"""Pictures decoded in front of the networks; one clip at least."""


def extract_features(video: Path, extraction: Extraction, progress: Progress | None = None) -> Features:
    """The features of one video; raises VideoError where there is no picture to read or not one clip."""

    def unguarded(work: Callable[[], None]) -> None:
        work()

    (features,) = extract_together(video, [extraction], unguarded, progress)
    assert isinstance(features, Features)
    return features


def extract_together(
    video: Path, extractions: Sequence[Extraction], guard: Guard, progress: Progress | None = None
) -> list[Features | VidalignError]:
    """What each extraction makes of one video, from one pass over it; an error is that extraction's alone.

    All read with the first one's reader. Raises VideoError where there is no picture to read.
    """
    from vidalign.video.clips import cut_many
    from vidalign.video.open import open_video

    with open_video(video, reader=extractions[0].reader) as reader:
        log.info("%s: read with %s (%s)", video, reader.info.reader, reader.info.reason)
        parts = [_Part(video, extraction, reader.info, guard) for extraction in extractions]
        working = [part for part in parts if part.error is None]
        recipes = [part.recipe for part in working]
        done = 0.0
        with closing(prefetch(lambda: cut_many(reader, recipes), AHEAD_BYTES, _Weigher())) as clips:
            for number, clip in clips if working else ():
                working[number].add(clip)
                if all(part.error for part in working):
                    break
                done = max(done, clip.end)
                if progress is not None:
                    progress(done, reader.info.duration)
        for part in working:
            part.finish(reader)
        return [part.result for part in parts]


class _Part:
    """One extraction's part in a pass."""

    def __init__(self, video: Path, extraction: Extraction, info: VideoInfo, guard: Guard) -> None:
        from vidalign.backbones.encode import Encoder
        from vidalign.video.framing import check_fits

        self.error: VidalignError | None = None
        self._made: Features | None = None
        self._video, self._extraction, self._guard = video, extraction, guard
        self._rows: list[NDArray[np.float32]] = []
        self._times: list[tuple[float, float]] = []

        def prepare() -> None:
            check_fits(info, self.recipe)
            device, precision = extraction.place
            self._encoder = Encoder(extraction.model, device=device, precision=precision)

        self._try(prepare)

    @property
    def result(self) -> Features | VidalignError:
        """What came of it, once it is finished."""
        made = self.error or self._made
        assert made is not None
        return made

    @property
    def recipe(self) -> Recipe:
        """How its clips are cut."""
        return self._extraction.resolved_recipe

    def add(self, clip: Clip) -> None:
        """Encode a clip, soon."""
        self._times.append((clip.start, clip.end))
        self._try(lambda: self._rows.append(self._encoder.add(clip.frames)))

    def finish(self, reader: VideoReader) -> None:
        """Encode what is left."""

        def work() -> None:
            self._rows.append(self._encoder.finish())
            self._made = self._features(reader)

        self._try(work)

    def _try(self, work: Callable[[], None]) -> None:
        if self.error is None:
            self.error = self._guard(work)

    def _features(self, reader: VideoReader) -> Features:
        import numpy as np

        if not self._times:
            raise _no_clip(self._video, reader, self.recipe)
        extraction = self._extraction
        rows, times = np.concatenate(self._rows), self._times
        if extraction.gvf is not None:
            rows, times = pool(rows, times, extraction.gvf)
        return Features(
            features=_as_dtype(rows, extraction.dtype, self._video),
            times=np.array(times, dtype=np.float64),
            backbone=extraction.card.name,
            recipe=self.recipe,
            weights_sha256=extraction.weights_sha256,
            precision=extraction.place.precision,
            runtime=extraction.runtime_told,
            reader=reader.info.reader,
            video=self._video.name,
            video_size=self._video.stat().st_size,
            duration=reader.info.duration,
            video_start=reader.info.video_start,
            truncated=reader.truncated,
            decoded_until=reader.decoded_until,
            pooling=extraction.gvf,
            vidalign_version=__version__,
        )


class _Weigher:
    """Bytes of a clip's pictures that the same recipe's clip before it did not hold."""

    def __init__(self) -> None:
        self._before: dict[int, dict[int, NDArray[Any]]] = {}

    def __call__(self, cut: tuple[int, Clip]) -> int:
        number, clip = cut
        before = self._before.get(number, {})
        self._before[number] = held = {id(picture): picture for view in clip.frames for picture in view}
        return sum(picture.nbytes for key, picture in held.items() if key not in before)


def _as_dtype(values: NDArray[np.float32], dtype: Dtype, video: Path) -> NDArray[Any]:
    import numpy as np

    if not np.isfinite(values).all():
        raise VideoError(f"{video}: the model gives NaN or infinity", hint="check its weights")
    with np.errstate(over="ignore"):
        result: NDArray[Any] = values.astype(dtype)
    if not np.isfinite(result).all():
        raise VideoError(f"{video}: the features are too large for {dtype}", hint="use --dtype float32")
    return result


def _no_clip(video: Path, reader: VideoReader, recipe: Recipe) -> VideoError:
    needed = f"{recipe.frames * recipe.step} frames"
    if recipe.fps != "native":
        needed = f"{float(recipe.clip_seconds):g} s"
    if reader.truncated:
        return VideoError(f"{video} breaks off before its first clip of {needed}", hint="get the file again")
    if recipe.tail != "drop" or recipe.sampling != "stride":
        return VideoError(f"{video} holds no picture that can be decoded", hint="check that it plays")
    return VideoError(
        f"{video} is too short for one clip of {needed} by recipe {recipe.name}",
        hint="give a --recipe with tail: repeat or zero",
    )

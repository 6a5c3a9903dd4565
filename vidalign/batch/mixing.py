"""Clips of many videos through one network: batches do not end where a video does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vidalign.batch.device import Place
from vidalign.batch.extraction import Extraction
from vidalign.batch.making import Making
from vidalign.batch.steady import computing_with
from vidalign.errors import VidalignError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vidalign.backbones.encode import Encoder
    from vidalign.video.clips import Clip

Guard = Callable[[Callable[[], None], Path], VidalignError | None]
"""Does something for one video; gives the error that is this video's alone, raises any other."""


class _Owed(NamedTuple):
    """A clip whose row has not come."""

    making: Making
    video: Path
    clip: Clip

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its pictures."""
        return self.clip.frames[0][0].shape


class Mixer:
    """One network on one device; with `pad` every batch has one shape."""

    def __init__(self, extraction: Extraction, place: Place, guard: Guard, *, pad: bool) -> None:
        self._extraction, self._place, self._guard, self._pad = extraction, place, guard, pad
        self._encoder: Encoder | None = None
        self._owed: deque[_Owed] = deque()

    def add(self, making: Making, video: Path, clip: Clip) -> None:
        """Encode a clip, soon; pictures of different sizes are never in one batch."""
        new = _Owed(making, video, clip)
        making.expect(clip)
        if self._owed and self._owed[-1].shape != new.shape:
            self.flush()
        self._owed.append(new)
        self._do(lambda encoder: encoder.add(clip.frames), video)

    def flush(self) -> None:
        """Encode what waits for its batch to fill."""
        if self._owed:
            self._do(lambda encoder: encoder.finish(), self._owed[-1].video)

    def _do(self, work: Callable[[Encoder], NDArray[np.float32]], video: Path) -> None:
        def deal() -> None:
            with computing_with(self._extraction.threads):
                rows = work(self._encoding())
            for row in rows:
                self._owed.popleft().making.take(row)

        error = self._guard(deal, video)
        if error is not None:
            self._encoder = None
            owed, self._owed = list(self._owed), deque()
            self._one_by_one(owed, error)

    def _one_by_one(self, owed: Sequence[_Owed], error: VidalignError) -> None:
        """What failed together is tried again, each video for itself: one that fails alone has failed."""
        videos: dict[int, list[_Owed]] = {}
        for each in owed:
            videos.setdefault(id(each.making), []).append(each)
        for group in videos.values():
            making, video = group[0].making, group[0].video
            if len(videos) > 1:
                error_alone = self._guard(lambda group=group: self._alone(group), video)  # type: ignore[misc]
                making.error = making.error or error_alone
            else:
                making.error = making.error or error

    def _alone(self, group: Sequence[_Owed]) -> None:
        with computing_with(self._extraction.threads):
            encoder = self._extraction.encoder(self._place, pad=self._pad)
            rows = [row for each in group for row in encoder.add(each.clip.frames)]
            rows.extend(encoder.finish())
        for row in rows:
            group[0].making.take(row)

    def _encoding(self) -> Encoder:
        if self._encoder is None:
            self._encoder = self._extraction.encoder(self._place, pad=self._pad)
        return self._encoder

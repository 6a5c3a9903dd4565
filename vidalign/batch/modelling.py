"""A thread that runs the networks of one device over the clips of all videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from time import monotonic
from typing import Any, NamedTuple

from vidalign.batch.extraction import Extraction
from vidalign.batch.making import Making
from vidalign.batch.mixing import Guard, Mixer
from vidalign.batch.reading import Cut, Reading
from vidalign.batch.shelf import ClosedError, Shelf
from vidalign.errors import VidalignError

IDLE_SECONDS = 1.0
"""After so long without pictures, batches are run half full, so that a slow video holds up no other."""

HUNGRY_SECONDS = 0.5
"""Waiting for pictures, taken together, after which another reader is asked for."""


class Video:
    """One video under way; `row` is where its device takes clips from the shelf."""

    def __init__(
        self,
        key: Any,
        path: Path,
        extractions: Sequence[Extraction],
        row: int,
        progress: Callable[[float, float | None], None] | None,
    ) -> None:
        self.key, self.path, self.row = key, path, row
        self.progress = progress
        self.reading = Reading()
        self.makings = [Making(path, extraction) for extraction in extractions]
        self.error: VidalignError | None = None
        self.began = monotonic()
        self._done = 0.0

    @property
    def hopeless(self) -> bool:
        """Whether nothing will be made of it any more."""
        return self.error is not None or all(making.error is not None for making in self.makings)

    @property
    def waits(self) -> bool:
        """Whether rows are still to come."""
        return not self.hopeless and any(making.waits for making in self.makings)

    def tell(self, until: float) -> None:
        """So far the networks have come."""
        self._done = max(self._done, until)
        if self.progress is not None:
            self.progress(self._done, self.reading.duration)


class Clips(NamedTuple):
    """A clip of a video."""

    video: Video
    cut: Cut


class End(NamedTuple):
    """A video's reading has ended."""

    video: Video


class Nudge(NamedTuple):
    """Whether other videos follow those that are being read."""

    nothing_follows: bool


class Model:
    """The networks of one device, fed from one row of the shelf; `given` counts the videos it is to get.

    `apart`: no batch holds clips of two videos, for a row depends, in its last bits, on its place in one.
    """

    def __init__(
        self,
        row: int,
        shelf: Shelf[Clips | End | Nudge],
        events: SimpleQueue[Any],
        guard: Guard,
        *,
        apart: bool,
    ) -> None:
        self.row, self.given = row, 0
        self._ended = 0
        self._shelf, self._events, self._guard, self._apart = shelf, events, guard, apart
        self._mixers: dict[tuple[Extraction, Video | None], Mixer] = {}
        self._read: list[Video] = []
        self._nothing_follows = False
        self._waited = 0.0

    @property
    def unread(self) -> int:
        """Videos whose reading has not ended."""
        return self.given - self._ended

    def run(self) -> None:
        """The thread's work; ends with the shelf."""
        while True:
            began = monotonic()
            try:
                entry = self._shelf.get(self.row, IDLE_SECONDS)
            except ClosedError:
                return
            self._note_waiting(monotonic() - began)
            match entry:
                case None:
                    self._flush()
                case Clips(video, cut):
                    self._add(video, cut)
                case End(video):
                    self._end(video)
                case Nudge(nothing_follows):
                    self._nothing_follows = nothing_follows
            if self._nothing_follows and not self.unread:
                self._flush()
            self._send_made()

    def _add(self, video: Video, cut: Cut) -> None:
        making = video.makings[cut.recipe]
        if video.error is None and making.error is None:
            self._mixer(making.extraction, video).add(making, video.path, cut.clip)
            video.tell(cut.clip.end)

    def _end(self, video: Video) -> None:
        self._ended += 1
        self._read.append(video)
        for making, misfit in zip(video.makings, video.reading.misfits, strict=False):
            making.error = making.error or misfit
        for extraction in {making.extraction for making in video.makings} if self._apart else ():
            self._mixer(extraction, video).flush()
            del self._mixers[extraction, video]

    def _flush(self) -> None:
        if self._read:
            for mixer in self._mixers.values():
                mixer.flush()

    def _send_made(self) -> None:
        made = [video for video in self._read if not video.waits]
        self._read = [video for video in self._read if video.waits]
        for video in made:
            self._events.put(("made", video))

    def _mixer(self, extraction: Extraction, video: Video) -> Mixer:
        key = (extraction, video if self._apart else None)
        if key not in self._mixers:
            place = extraction.places[self.row]
            self._mixers[key] = Mixer(extraction, place, self._guard, pad=self._apart)
        return self._mixers[key]

    def _note_waiting(self, seconds: float) -> None:
        """Ask for another reader now and then while there is much waiting."""
        self._waited += seconds
        if self._waited > HUNGRY_SECONDS:
            self._waited = 0.0
            self._events.put(("hungry", None))

"""Features with the sentences spoken in them: found, matched, filtered, split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vidalign.aligners.tokens import Tokenizer
from vidalign.errors import ConfigError, DataError
from vidalign.training.data.aligned import aligned_matches
from vidalign.training.data.rows import OneOrigin, Origin, Rows, open_rows
from vidalign.training.data.sources import (
    Gathered,
    Holding,
    Reading,
    features_below,
    folder_matches,
    gather,
    read_names,
    split,
    table_matches,
)
from vidalign.training.data.spoken import Spoken
from vidalign.training.data.windows import TanVideo

MakeVideo = Callable[[str, Rows, Spoken], TanVideo]
"""A video of what was found; raises DataError where it cannot be used."""


@dataclass(frozen=True, slots=True)
class FeatureSource:
    """A folder of features with the subtitles of the same names (a folder, or one JSON {video: {text, start,
    end}} as HTM-370K comes), or a CSV `manifest` with the columns features and subtitles.

    Instead of subtitles, `alignments` is a folder of alignment files of the same names: then a video's
    sentences are those that were aligned with at least `min_confidence`, where they were seen.
    """

    features: Path | None = None
    subtitles: Path | None = None
    manifest: Path | None = None
    alignments: Path | None = None
    min_confidence: float = 0.0

    def __post_init__(self) -> None:
        said = self.subtitles or self.alignments
        folders = (self.features is not None, said is not None)
        if folders != ((True, True) if self.manifest is None else (False, False)):
            raise ConfigError(
                "give features and subtitles, or a manifest", hint="not one of the former alone"
            )
        if self.subtitles and self.alignments:
            raise ConfigError("alignments take the place of subtitles", hint="give one of the two")
        if self.min_confidence and not self.alignments:
            raise ConfigError("min_confidence goes with alignments only")


@dataclass(frozen=True, slots=True)
class Sources:
    """What is trained on; only videos longer than `min_seconds` and shorter than `max_seconds` are used."""

    training: FeatureSource
    validation: FeatureSource | None = None
    reading: Reading = field(default_factory=Reading)
    holding: Holding = field(default_factory=Holding)
    min_seconds: float = 0.0
    max_seconds: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SpokenVideos:
    """The videos of both splits, what made their features, and lines on what was left out."""

    training: list[TanVideo]
    validation: list[TanVideo]
    origin: Origin
    notes: tuple[str, ...]


def load_videos(sources: Sources, make: MakeVideo, tokenizer: Tokenizer) -> SpokenVideos:
    """Find and match everything; raises ConfigError, DataError, SubtitleError.

    A single video that cannot be used is left out with a warning, but features made in different ways are
    refused.
    """
    reader = _Reader(sources, make, tokenizer)
    gathered = reader.videos(sources.training)
    notes = gathered.lines()
    if sources.validation is None:
        learned, held = split(gathered.videos, sources.holding)
    else:
        others = reader.videos(sources.validation)
        learned, held = gathered.videos, others.videos
        notes += others.lines()
    return SpokenVideos(learned, held, reader.origin(), tuple(notes))


class _Reader:
    """Makes videos of sources and holds their features against the first ones."""

    def __init__(self, sources: Sources, make: MakeVideo, tokenizer: Tokenizer) -> None:
        self._sources = sources
        self._usable = make
        self._tokenizer = tokenizer
        self._held_out = read_names(sources.holding.hold_out)
        self._same = OneOrigin()

    def origin(self) -> Origin:
        """What made the features."""
        return self._same.origin

    def videos(self, source: FeatureSource) -> Gathered[TanVideo]:
        """The usable videos of a source."""
        gathered: Gathered[TanVideo] = Gathered()
        reading = self._sources.reading
        if source.manifest is not None:
            matches = table_matches(source.manifest, "features", self._tokenizer, reading)
        elif source.alignments is not None:
            assert source.features is not None
            files, sure = features_below(source.features), source.min_confidence
            matches = aligned_matches(files, source.alignments, self._tokenizer, sure, gathered)
        else:
            assert source.features is not None and source.subtitles is not None
            files = features_below(source.features)
            matches = folder_matches(files, source.subtitles, self._tokenizer, reading, gathered)
        return gather(matches, self._make, gathered, self._held_out)

    def _make(self, name: str, path: Path, spoken: Callable[[], Spoken]) -> TanVideo:
        rows, origin = open_rows(path)
        longest = self._sources.max_seconds
        if rows.seconds <= self._sources.min_seconds or (longest is not None and rows.seconds >= longest):
            raise DataError("shorter or longer than the configuration allows")
        video = self._usable(name, rows, spoken())
        self._same.compare(path, origin)
        return video

"""Features files and transcripts become the paragraphs and videos of full-video retrieval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vidalign.aligners.align import check_features
from vidalign.aligners.decoders.peak import clip_cells
from vidalign.aligners.registry import Aligner
from vidalign.aligners.scores import Embedder, SegmentEmbedder, sentence_times
from vidalign.errors import DataError, SubtitleError, UsageError, VidalignError
from vidalign.evaluation.files import NamedFiles
from vidalign.evaluation.full_video import Distances, Measure, Scale, Score, video_distances
from vidalign.evaluation.leftout import LeftOut, Progress, silent
from vidalign.evaluation.retrieval import embedder_of
from vidalign.evaluation.search import Vectors, clip_vectors
from vidalign.evaluation.segments import Segment, read_segments
from vidalign.store.features import read_features
from vidalign.text.sentences import make_transcript
from vidalign.text.subtitles import read_subtitles
from vidalign.text.subtitles.beside import TIMED, SubtitleFolder
from vidalign.types import Features, Sentence

WINDOW = 16.0
"""Seconds of the windows that a video with its background is cut into, one after the other."""

Paragraph = tuple[Sentence, ...]


class Paragraphs(NamedTuple):
    """The sentences of each video by its name, transcripts without features, and those that are bad."""

    found: Mapping[str, Paragraph]
    missing: tuple[str, ...]
    failed: Mapping[str, VidalignError]


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """Names and vectors (K, C) of paragraphs, names and vectors (T, C) of videos, and what was left out."""

    paragraphs: tuple[str, ...]
    texts: tuple[Vectors, ...]
    videos: tuple[str, ...]
    clips: tuple[Vectors, ...]
    missing: tuple[str, ...]
    failed: Mapping[str, VidalignError]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How paragraphs are held against videos; see `full_video.video_distances`.

    Where `score` is None, `default_score` says by what vectors are compared.
    """

    measure: Measure = "dtw"
    background: bool = False
    score: Score | None = None
    scale: Scale = "product"
    reference: bool = False

    def distances(self, gallery: Gallery, aligner: Aligner) -> Distances:
        """Distances (P, V) of the gallery's paragraphs to its videos."""
        return video_distances(
            gallery.texts,
            gallery.clips,
            self.measure,
            score=self.score_of(aligner),
            background=self.background,
            scale=self.scale,
            reference=self.reference,
        )

    def score_of(self, aligner: Aligner) -> Score:
        """How the aligner's vectors are compared; raises ModelError for one without."""
        scorer = embedder_of(aligner)
        if self.score is not None:
            return self.score
        return "dot" if self.reference else default_score(scorer, self.measure)


def default_score(scorer: Embedder, measure: Measure) -> Score:
    """Averages compare as the model does, sequences by cosine, as dot products are no distances."""
    return "cosine" if measure != "average" or scorer.score_name == "cosine" else "dot"


def read_paragraphs(path: Path, files: NamedFiles, subset: str | None = None) -> Paragraphs:
    """What is said in videos: a folder of subtitles named as the features, a file of segments, or one
    subtitle file. Raises DataError or SubtitleError where there is none.
    """
    if path.is_file() and path.suffix.lower() in (".csv", ".json"):
        return _from_segments(read_segments(path, subset))
    if subset is not None:
        raise UsageError(f"{path} has no subsets", hint="leave --subset out")
    if path.is_dir():
        return _from_folder(path, files)
    return Paragraphs({path.stem: _sentences(path, path.stem)}, (), {})


def encode(
    aligner: Aligner,
    paragraphs: Paragraphs,
    files: NamedFiles,
    *,
    background: bool,
    paired: bool,
    progress: Progress = silent,
) -> Gallery:
    """Vectors of paragraphs and of videos; a bad file does not stop the others.

    With `background` a video is its windows, else the stretches of its own sentences. `paired`: each
    paragraph with its video, in one order; else the videos are all that can be. Raises ModelError for a model
    without vectors, DataError where nothing is left.
    """
    scorer = embedder_of(aligner)
    left = LeftOut(failed=dict(paragraphs.failed))
    clips: dict[str, Vectors] = {}
    wanted = files.whole if background and not paired else paragraphs.found
    for name, path in left.paths(wanted, files, progress):
        with left.bad(name):
            features = read_features(path)
            check_features(features, aligner)
            spans = windows_of(features) if background else spans_of(features, paragraphs.found[name])
            clips[name] = span_vectors(scorer, features, spans)
    if not clips:
        raise left.why(DataError("no transcript has features", hint=_NAMES))
    names = tuple(clips) if paired else tuple(paragraphs.found)
    texts = tuple(scorer.embed_texts([s.text for s in paragraphs.found[name]]) for name in names)
    before = paragraphs.missing if paired or not background else ()
    missing = (*before, *left.missing)
    return Gallery(names, texts, tuple(clips), tuple(clips.values()), missing, left.failed)


def windows_of(features: Features) -> list[tuple[int, int]]:
    """First clip and end of each window of 16 s, from the first clip on."""
    cells = clip_cells(features.times)
    starts = np.arange(cells[0, 0], cells[-1, 1], WINDOW)
    return [_rows(features, start, start + WINDOW) for start in starts.tolist()]


def spans_of(features: Features, sentences: Sequence[Sentence]) -> list[tuple[int, int]]:
    """First clip and end of the stretch in which each sentence is spoken; raises DataError where unknown."""
    times = sentence_times(sentences)
    if np.isnan(times).any():
        raise DataError(
            "its sentences have no times, so what they describe is unknown", hint="--background kept"
        )
    end, last = float(clip_cells(features.times)[-1, 1]), float(times[:, 0].max())
    if last >= end:
        raise DataError(
            f"a sentence begins at {last:g} s, the features end at {end:g} s",
            hint="do they belong to this video?",
        )
    return [_rows(features, start, stop) for start, stop in times.tolist()]


def span_vectors(scorer: Embedder, features: Features, spans: Sequence[tuple[int, int]]) -> Vectors:
    """One vector a span (N, C): of it as a whole where the scorer has such, else the mean of its clips'."""
    if isinstance(scorer, SegmentEmbedder):
        return np.stack([scorer.embed_segment(features.features[first:stop]) for first, stop in spans])
    clips = clip_vectors(scorer, features)
    return np.stack([clips[first:stop].mean(axis=0) for first, stop in spans])


_NAMES = "files are found by the video's name: NAME.h5, NAME.vtt"


def _rows(features: Features, start: float, stop: float) -> tuple[int, int]:
    """First clip and end of those that a stretch of time touches; at least one."""
    cells = clip_cells(features.times)
    first = min(int(np.searchsorted(cells[:, 1], start, side="right")), len(cells) - 1)
    return first, max(int(np.searchsorted(cells[:, 0], stop, side="left")), first + 1)


def _from_segments(segments: Sequence[Segment]) -> Paragraphs:
    """The segments of each video by their starts; those without text are left out."""
    found: dict[str, list[Sentence]] = {}
    for segment in sorted(segments, key=lambda segment: (segment.video, segment.start)):
        sentences = found.setdefault(segment.video, [])
        if segment.text.strip():
            sentences.append(Sentence(segment.text, segment.start, segment.end, 0, 0))
    failed: dict[str, VidalignError] = {
        name: DataError(f"{name}: its transcript has no text")
        for name, sentences in found.items()
        if not sentences
    }
    if len(failed) == len(found):
        raise next(iter(failed.values()))
    return Paragraphs({name: tuple(said) for name, said in found.items() if said}, (), failed)


def _from_folder(folder: Path, files: NamedFiles) -> Paragraphs:
    """The transcripts of the videos that have features."""
    subtitles = SubtitleFolder(folder)
    found: dict[str, Paragraph] = {}
    failed: dict[str, VidalignError] = {}
    for name in files.whole:
        try:
            path = subtitles.find(f"{name}.mp4")
            if path is not None:
                found[name] = _sentences(path, name)
        except SubtitleError as error:
            failed[name] = error
    if not found:
        nothing = DataError(f"no video with features has a transcript in {folder}", hint=_NAMES)
        raise next(iter(failed.values()), nothing)
    return Paragraphs(found, _without_features(folder, files), failed)


def _without_features(folder: Path, files: NamedFiles) -> tuple[str, ...]:
    """Names of the subtitle files that belong to no features; they may end in a language."""
    names = [
        path.relative_to(folder).with_suffix("").as_posix()
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in TIMED
    ]
    return tuple(
        name
        for name in names
        if not any(
            name[:end] in files.whole for end in range(len(name) + 1) if name[end : end + 1] in ("", ".")
        )
    )


def _sentences(path: Path, video: str) -> Paragraph:
    return make_transcript(read_subtitles(path, video=video)).sentences

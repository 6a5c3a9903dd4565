"""Methods side by side: each says something of every video of a truth file, from that video's own file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.decoders import get_decoder
from vidalign.aligners.registry import Aligner, with_texts
from vidalign.aligners.scores import sentence_times
from vidalign.aligners.spec import lacks_text_features, reads_words, takes_text_features
from vidalign.errors import DataError, UsageError, VidalignError
from vidalign.evaluation.annotations import TruthRow
from vidalign.evaluation.baselines import spoken, uniform
from vidalign.evaluation.files import NamedFiles
from vidalign.evaluation.htm_align import Protocol, Setup, predict
from vidalign.evaluation.leftout import LeftOut
from vidalign.evaluation.prediction import Judged, Prediction, judge_rows, pool, prediction_of
from vidalign.evaluation.report import Method
from vidalign.store.alignments import read_alignment
from vidalign.store.features import read_features
from vidalign.store.text_features import read_text_features
from vidalign.text.sentences import make_transcript
from vidalign.text.subtitles import read_subtitles
from vidalign.text.subtitles.beside import SubtitleFolder
from vidalign.types import Alignment, Sentence

Find = Callable[[str], Path | None]
Predict = Callable[[Path, Sequence[TruthRow]], Prediction]


@dataclass(frozen=True, slots=True)
class Contender:
    """A method, the file that it reads for a video, and what it makes of that file."""

    method: Method
    find: Find
    predict: Predict


@dataclass(frozen=True, slots=True)
class Outcome:
    """All sentences held against the truth (None: of no video), and the videos that are not among them."""

    method: Method
    judged: Judged | None
    missing: tuple[str, ...]
    failed: Mapping[str, VidalignError]


def compete(
    contender: Contender,
    truth: Mapping[str, Sequence[TruthRow]],
    protocol: Protocol,
    *,
    progress: Callable[[int, str], None] = lambda done, video: None,
) -> Outcome:
    """Run one method over every video of the truth; a video whose file is bad does not stop the others.

    Raises UsageError, which no other video could escape.
    """
    judged: list[Judged] = []
    left = LeftOut()
    for number, (video, rows) in enumerate(truth.items()):
        progress(number, video)
        if protocol.skip_empty and not any(row.alignable for row in rows):
            continue
        with left.bad(video, f"{contender.method.name}, "):
            path = contender.find(video)
            if path is None:
                left.missing.append(video)
                continue
            prediction = contender.predict(path, rows)
            judged.append(judge_rows(prediction, rows, exact=protocol.exact, video=number))
    return Outcome(contender.method, pool(judged) if judged else None, tuple(left.missing), left.failed)


def of_alignments(name: str, files: NamedFiles, protocol: Protocol) -> Contender:
    """Alignment files as they are."""
    return Contender(Method(name, "alignments", protocol.name), files.find, _AlignmentReader())


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files that a model reads: features, sentence features if it takes these, and subtitles.

    From the last only when sentences are spoken, where the decoder asks.
    """

    features: NamedFiles
    texts: NamedFiles | None = None
    subtitles: SubtitleFolder | None = None


def of_model(name: str, kind: str, aligner: Aligner, inputs: Inputs, setup: Setup) -> Contender:
    """A model over features files; it gets the sentences of the truth file, not their times.

    Raises UsageError where there are sentence features for a model that takes none, no way to make any for
    one that does, and no subtitles for a decoder that asks when sentences are spoken.
    """
    texts = inputs.texts
    if texts is not None and not takes_text_features(aligner.spec):
        raise reads_words(aligner.card.name)
    if texts is None and aligner.spec.text == "file":
        raise lacks_text_features(aligner.card.name)
    decoder = get_decoder(setup.decoder)
    if decoder.reads_times and inputs.subtitles is None:
        raise UsageError(
            f"decoder {decoder.written} asks when sentences are spoken", hint="add --subtitles DIR"
        )
    encoders = setup.reading.encoders if aligner.spec.scorer == "tan" else None
    method = Method(name, kind, setup.protocol.name, setup.mode, encoders, decoder.written)
    reader = _ModelReader(aligner, inputs, setup, asks=decoder.reads_times)
    return Contender(method, reader.find, reader)


def spoken_in_subtitles(folder: Path, protocol: Protocol) -> Contender:
    """Baseline: the times of the subtitle files in a folder, one cue a row of the truth."""
    subtitles = SubtitleFolder(folder)

    def times(path: Path, rows: Sequence[TruthRow]) -> Prediction:
        return spoken(_cues(path, rows))

    return Contender(_baseline("times", protocol), lambda video: _subtitles_of(video, subtitles), times)


def spoken_in_alignments(files: NamedFiles, protocol: Protocol) -> Contender:
    """Baseline: the times at which the sentences of alignment files are spoken."""

    def times(path: Path, rows: Sequence[TruthRow]) -> Prediction:
        alignment = read_alignment(path)
        check_sentences(alignment.sentences, rows)
        return spoken(alignment.sentences)

    return Contender(_baseline("times", protocol), files.find, times)


def spread_over_features(files: NamedFiles, protocol: Protocol) -> Contender:
    """Baseline: sentences evenly over the time that features cover."""

    def even(path: Path, rows: Sequence[TruthRow]) -> Prediction:
        return uniform(len(rows), float(read_features(path).times.max(initial=0.0)))

    return Contender(_baseline("uniform", protocol), files.find, even)


def spread_over_alignments(files: NamedFiles, protocol: Protocol) -> Contender:
    """Baseline: sentences evenly over the time that alignment files cover."""

    def even(path: Path, rows: Sequence[TruthRow]) -> Prediction:
        times = read_alignment(path).times
        if times is None:
            raise DataError(f"{path} does not say how long the video is", hint="align without --no-matrix")
        return uniform(len(rows), float(times.max(initial=0.0)))

    return Contender(_baseline("uniform", protocol), files.find, even)


def check_sentences(sentences: Sequence[Sentence], rows: Sequence[TruthRow]) -> None:
    """Raise DataError unless these are the truth's sentences: as many, and most with the same words."""
    if len(sentences) != len(rows):
        raise DataError(
            f"{len(sentences)} sentences for {len(rows)} rows of the truth",
            hint="each row must be one sentence: align with --segment cue and --rolling keep",
        )
    pairs = [(s.text, row.text) for s, row in zip(sentences, rows, strict=True)]
    others = [(ours, theirs) for ours, theirs in pairs if _words(ours) != _words(theirs)]
    if len(others) > len(rows) / 2:
        ours, theirs = others[0]
        raise DataError(f"the sentences are not those of the truth: {ours!r} instead of {theirs!r}")


class _ModelReader:
    """Runs a model over the features of one video after the other, with its sentence features if there are.

    `asks` is whether its decoder wants to know when sentences are spoken. `find` is asked for a video before
    its file is read.
    """

    def __init__(self, aligner: Aligner, inputs: Inputs, setup: Setup, *, asks: bool) -> None:
        self._aligner, self._inputs, self._setup, self._asks = aligner, inputs, setup, asks
        self._video = ""

    def find(self, video: str) -> Path | None:
        self._video = video
        return self._inputs.features.find(video)

    def __call__(self, path: Path, rows: Sequence[TruthRow]) -> Prediction:
        return predict(self._with_texts(), read_features(path), rows, self._setup, self._spoken(rows))

    def _spoken(self, rows: Sequence[TruthRow]) -> NDArray[np.float64] | None:
        if not self._asks or self._inputs.subtitles is None:
            return None
        path = _subtitles_of(self._video, self._inputs.subtitles)
        if path is None:
            raise DataError("no subtitles for it", hint="put NAME.vtt into the folder of --subtitles")
        return sentence_times(_cues(path, rows))

    def _with_texts(self) -> Aligner:
        if self._inputs.texts is None:
            return self._aligner
        path = self._inputs.texts.find(self._video)
        if path is None:
            raise DataError("no text features for it", hint="make them: `vidalign extract-text`")
        return with_texts(self._aligner, read_text_features(path), str(path))


class _AlignmentReader:
    """Reads alignment files, all of which must come from one model."""

    def __init__(self) -> None:
        self._first: tuple[Path, dict[str, object]] | None = None

    def __call__(self, path: Path, rows: Sequence[TruthRow]) -> Prediction:
        alignment = read_alignment(path)
        check_sentences(alignment.sentences, rows)
        self._check_origin(path, alignment)
        return prediction_of(alignment)

    def _check_origin(self, path: Path, alignment: Alignment) -> None:
        names = ("model", "scorer", "score", "alignability_kind", "weights_sha256")
        origin = {name: getattr(alignment, name) for name in names}
        first, expected = self._first or (path, origin)
        self._first = first, expected
        for name, value in origin.items():
            if value != expected[name]:
                raise DataError(f"{path} has {name} {value}, {first} has {expected[name]}")


def _subtitles_of(video: str, folder: SubtitleFolder) -> Path | None:
    return folder.find(f"{video}.mp4")


def _cues(path: Path, rows: Sequence[TruthRow]) -> Sequence[Sentence]:
    """The cues of a subtitle file, each a sentence; raises DataError unless they are those of the truth."""
    file = read_subtitles(path, rolling="keep", video=path.stem)
    sentences = make_transcript(file, "cue").sentences
    check_sentences(sentences, rows)
    return sentences


def _baseline(name: str, protocol: Protocol) -> Method:
    return Method(name, "baseline", protocol.name)


def _words(text: str) -> list[str]:
    return text.casefold().split()

"""What is said in a video, as training needs it: times and token ids, compact enough for many videos."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.tokens import Tokenizer
from vidalign.errors import DataError, SubtitleError
from vidalign.outside import load_json
from vidalign.text.sentences import Segmentation, make_transcript
from vidalign.text.subtitles import Rolling, read_subtitles


class Said(NamedTuple):
    """A sentence and its seconds; `shown` False: nothing in the video shows it, it has no positive."""

    start: float
    end: float
    text: str
    shown: bool = True


Spans = Iterable[tuple[float, float, str] | Said]


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """Sentences in the order of their starts: `times` (N, 2) seconds, `tokens` (N, W) ids, padded with 0, and
    whether anything shows them, `shown` (N,)."""

    times: NDArray[np.float64]
    tokens: NDArray[np.int32]
    shown: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.times)

    @property
    def has_words(self) -> NDArray[np.bool_]:
        """Which sentences hold a word that the tokenizer knows, (N,)."""
        known: NDArray[np.bool_] = np.any(self.tokens != 0, axis=1)
        return known

    def limited(self, keep: NDArray[np.bool_]) -> Spoken:
        """The sentences for which `keep` (N,) is true."""
        return Spoken(self.times[keep], self.tokens[keep], self.shown[keep])


def make_spoken(sentences: Spans, tokenizer: Tokenizer) -> Spoken:
    """Sentences (start, end, text[, shown]) with their tokens; columns that only pad are cut off."""
    ordered = sorted((Said(*sentence) for sentence in sentences), key=lambda said: said.start)
    ids, _ = tokenizer([said.text for said in ordered])
    used = np.flatnonzero(ids.any(axis=0))
    width = int(used[-1]) + 1 if len(used) else 1
    times = np.array([(said.start, said.end) for said in ordered], np.float64).reshape(-1, 2)
    shown = np.array([said.shown for said in ordered], np.bool_)
    return Spoken(times, ids[:, :width].astype(np.int32), shown)


def read_spoken(
    path: Path,
    tokenizer: Tokenizer,
    *,
    video: str = "",
    segment: Segmentation = "cue",
    rolling: Rolling = "auto",
    encoding: str | None = None,
) -> Spoken:
    """The sentences of a subtitle file that have times; raises SubtitleError where none has."""
    file = read_subtitles(path, encoding=encoding, rolling=rolling, video=video or None)
    timed = [
        (sentence.start, sentence.end, sentence.text)
        for sentence in make_transcript(file, segment).sentences
        if sentence.start is not None and sentence.end is not None
    ]
    if not timed:
        raise SubtitleError("its sentences have no times", path=str(path), hint="training needs them")
    return make_spoken(timed, tokenizer)


class Captions:
    """A JSON {video: {"text": [...], "start": [...], "end": [...]}} in seconds, as HTM-370K comes, or
    {video: [[alignable, start, end, text], ...]}, as HTM-Align does, whose other sentences are negatives.

    Raises DataError, here for the file, in `of` for one video.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            content = load_json(path.read_bytes())
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror or error}") from None
        except ValueError as error:
            raise DataError(f"{path} is not JSON: {error}") from None
        if not isinstance(content, dict) or not content:
            raise DataError(f"{path} holds no videos", hint=_EXPECTED)
        self._content = content

    def __contains__(self, video: str) -> bool:
        return video in self._content

    def of(self, video: str) -> list[Said]:
        """The sentences of a video that is in it."""
        captions, where = self._content[video], f"{self._path}: {video}"
        try:
            rows = _judged(captions) if isinstance(captions, list) else _told(captions)
        except KeyError as error:
            raise DataError(f"{where}: {error} is missing", hint=_EXPECTED) from None
        except (TypeError, ValueError) as error:
            raise DataError(f"{where}: {error}", hint=_EXPECTED) from None
        if not np.isfinite([said[:2] for said in rows]).all():
            raise DataError(f"{where}: a time is NaN or infinite", hint=_EXPECTED)
        return rows


def _told(captions: Any) -> list[Said]:
    if not isinstance(captions, dict):
        raise TypeError(f"{type(captions).__name__}, not an object")
    columns = (captions["start"], captions["end"], captions["text"])
    return [Said(float(start), float(end), str(text)) for start, end, text in zip(*columns, strict=True)]


def _judged(rows: list[Any]) -> list[Said]:
    return [Said(float(start), float(end), str(text), bool(shown)) for shown, start, end, text in rows]


_EXPECTED = 'expected {video: {"text": [...], "start": [...], "end": [...]}}, times in seconds'

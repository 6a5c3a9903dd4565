"""Cues become sentences, and the segments of sentences become times of cues again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from vidalign.errors import SubtitleError
from vidalign.text.subtitles.model import SubtitleFile
from vidalign.text.subtitles.rolling import Piece, is_final, pieces
from vidalign.types import Cue, Sentence, Transcript

Segmentation = Literal["cue", "sentence"]
Span = tuple[float, float]

GAP = 1.0
"""A silence longer than this (seconds) ends a sentence."""
COMMA_WORDS = 20
"""From this length on a comma, semicolon, colon or dash ends a sentence, too."""
MOST_WORDS = 32
"""No sentence is longer: text models read no more words. It is cut where a cue ends."""

_STOP = re.compile(r"""[.!?…。！？][\"'”’»)\]}」』]*$""")
_PAUSE = re.compile(r"""[,;:，、；：—–][\"'”’»)\]}」』]*$""")
_ABBREVIATION = re.compile(
    r"^[\"'(\[“‘]*(?:mr|mrs|ms|dr|prof|st|vs|etc|e\.g|i\.e|approx|no|fig|[a-z])\.$", re.IGNORECASE
)
_ASIDE = re.compile(r"^(?:\[[^\]]*\]|\([^)]*\)|[♪♫\s]+.*[♪♫]|[♪♫]+)$")
_IDEOGRAPH = re.compile(
    "([\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff][、。，！？：；」』）]*)"
)


@dataclass(frozen=True, slots=True)
class _Word:
    """A word with its interpolated times in seconds; `last` ends its cue, `alone` is part of a sound cue."""

    text: str
    cue: int
    start: float | None
    end: float | None
    last: bool
    alone: bool
    joined: bool


def make_transcript(file: SubtitleFile, how: Segmentation = "cue") -> Transcript:
    """The cues of a file and the sentences made of them. Raises SubtitleError where no cue holds text."""
    sentences = segment(file.cues, how, collapse=file.rolling)
    if not sentences:
        raise SubtitleError(
            f"none of its {len(file.cues)} cues holds text", path=file.path, hint="nothing can be aligned"
        )
    return Transcript(cues=file.cues, sentences=sentences, source=file.path, warnings=file.warnings)


def segment(
    cues: Sequence[Cue], how: Segmentation = "cue", *, collapse: bool = False
) -> tuple[Sentence, ...]:
    """Sentences of `cues`: one a cue, or joined and split at sentence ends.

    A cue without visible text belongs to none. `collapse` counts repeated lines of rolling captions once; a
    cue that only repeats belongs to the sentence it repeats. For `sentence` a cue's time is shared equally by
    its words (after Han et al., CVPR 2022, appendix A), unless it carries word stamps; a sentence ends at a
    full stop, at a silence above `GAP`, at a lesser mark after `COMMA_WORDS`, and within `MOST_WORDS`.
    """
    found = pieces(cues, collapse=collapse)
    if how == "cue":
        return _one_a_cue(cues, found, collapse)
    return _joined(cues, found, collapse)


def retime_cues(
    transcript: Transcript, aligned: Sequence[bool], segments: Sequence[Span]
) -> list[tuple[int, int] | None]:
    """New (start, end) in ms for each cue, None where no aligned sentence holds it.

    A cue gets the part of the segment that it has of the sentence's time (without times: of its words); a cue
    shared by several aligned sentences gets the hull of its parts.
    """
    times: list[tuple[int, int] | None] = [None] * len(transcript.cues)
    for sentence, is_aligned, span in zip(transcript.sentences, aligned, segments, strict=True):
        if not is_aligned:
            continue
        for place, share in _shares(transcript.cues, sentence):
            start, end = _share_of(span, share)
            start_ms, end_ms = round(start * 1000), round(end * 1000)
            before = times[place]
            if before is not None:
                start_ms, end_ms = min(before[0], start_ms), max(before[1], end_ms)
            times[place] = (start_ms, end_ms)
    return times


def _one_a_cue(cues: Sequence[Cue], found: Sequence[Piece], collapse: bool) -> tuple[Sentence, ...]:
    sentences: list[Sentence] = []
    for piece, last in _with_repeats(found):
        cue = cues[piece.cue]
        start, end = _cue_times(cue)
        if collapse:
            start, end = _heard(cues, piece.cue, last)
        name = cue.id or str(len(sentences) + 1)
        sentences.append(Sentence(piece.text, start, end, piece.cue, last, name))
    return tuple(sentences)


def _with_repeats(found: Sequence[Piece]) -> list[tuple[Piece, int]]:
    """Pieces that bring text, each with the last cue that only repeats it."""
    kept: list[tuple[Piece, int]] = []
    for piece in found:
        if piece.text:
            kept.append((piece, piece.cue))
        elif kept:
            kept[-1] = (kept[-1][0], piece.cue)
    return kept


def _heard(cues: Sequence[Cue], first: int, last: int) -> tuple[float | None, float | None]:
    """Time of a collapsed cue: from its first word on, with the very short cue that finishes it."""
    start, end = _cue_times(cues[first])
    if cues[first].words:
        start = cues[first].words[0][0] / 1000
    following = cues[first + 1] if last > first else None
    if following is not None and following.end is not None and end is not None and is_final(following):
        end = max(end, following.end / 1000)
    return start, end


def _cue_times(cue: Cue) -> tuple[float | None, float | None]:
    if cue.start is None or cue.end is None:
        return None, None
    return cue.start / 1000, max(cue.start, cue.end) / 1000


def _joined(cues: Sequence[Cue], found: Sequence[Piece], collapse: bool) -> tuple[Sentence, ...]:
    words = [
        word
        for piece, last in _with_repeats(found)
        for word in _words(cues, piece, _heard(cues, piece.cue, last) if collapse else None)
    ]
    repeats = {piece.cue: last for piece, last in _with_repeats(found)}
    return tuple(
        _sentence(words[a:b], repeats, str(number))
        for number, (a, b) in enumerate(_cuts(words, cues), start=1)
    )


def _sentence(words: Sequence[_Word], repeats: dict[int, int], name: str) -> Sentence:
    text = "".join(word.text if word.joined else f" {word.text}" for word in words).strip()
    start, end = words[0].start, words[-1].end
    if start is not None and end is not None:
        start, end = round(start, 3), round(max(start, end), 3)
    last = words[-1].cue
    return Sentence(text, start, end, words[0].cue, repeats[last] if words[-1].last else last, name)


def _words(cues: Sequence[Cue], piece: Piece, heard: tuple[float | None, float | None] | None) -> list[_Word]:
    """The words of a piece with their share of the cue's time; ideographs count as words of their own."""
    cue = cues[piece.cue]
    texts = [part for word in piece.text.split() for part in _parts(word)]
    start, end = heard or _cue_times(cue)
    times = _spread(len(texts), start, end)
    if cue.words:
        stamped = _stamped(cue, _spoken_until(cues, piece.cue, end))
        times = stamped if len(stamped) == len(texts) else times
    alone = bool(_ASIDE.match(piece.text))
    return [
        _Word(text, piece.cue, *times[n], last=n == len(texts) - 1, alone=alone, joined=joined)
        for n, (text, joined) in enumerate(texts)
    ]


def _parts(word: str) -> list[tuple[str, bool]]:
    """A word split at ideographs; True for parts that follow without a space."""
    split = [part for part in _IDEOGRAPH.split(word) if part]
    return [(part, n > 0) for n, part in enumerate(split)]


def _spread(count: int, start: float | None, end: float | None) -> list[tuple[float | None, float | None]]:
    if start is None or end is None:
        return [(None, None)] * count
    step = (end - start) / max(count, 1)
    edges = [start + step * n for n in range(count)] + [end]
    return list(pairwise(edges))


def _spoken_until(cues: Sequence[Cue], place: int, end: float | None) -> float | None:
    """The end of a cue with word stamps, which stays on screen while the next one is spoken."""
    following = cues[place + 1].start if place + 1 < len(cues) else None
    last_word = cues[place].words[-1][0]
    if end is None or following is None or following < last_word:
        return end
    return min(end, following / 1000) if not is_final(cues[place + 1]) else end


def _stamped(cue: Cue, end: float | None) -> list[tuple[float | None, float | None]]:
    """Times of the words of a cue by its inline stamps; words under one stamp share its time."""
    times: list[tuple[float | None, float | None]] = []
    for n, (at, text) in enumerate(cue.words):
        until = cue.words[n + 1][0] / 1000 if n + 1 < len(cue.words) else max(at / 1000, end or 0)
        times += _spread(sum(len(_parts(word)) for word in text.split()), at / 1000, until)
    return times


def _cuts(words: Sequence[_Word], cues: Sequence[Cue]) -> list[tuple[int, int]]:
    """Ranges of words that are sentences."""
    ranges: list[tuple[int, int]] = []
    begin = 0
    while begin < len(words):
        end = begin + 1
        while end < len(words) and not _ends(words, end - 1, end - begin, cues):
            if end - begin >= MOST_WORDS:
                end = next((n + 1 for n in range(end - 1, begin, -1) if words[n].last), end)
                break
            end += 1
        ranges.append((begin, end))
        begin = end
    return ranges


def _ends(words: Sequence[_Word], at: int, length: int, cues: Sequence[Cue]) -> bool:
    """Whether a sentence of `length` words ends with the word `at`, which is not the last."""
    word, following = words[at], words[at + 1]
    if word.cue != following.cue:
        if word.alone or following.alone or following.text.startswith(">>"):
            return True
        if word.end is not None and following.start is not None and following.start - word.end > GAP:
            return True
        a, b = cues[word.cue].start, cues[following.cue].start
        if a is not None and b is not None and b < a:
            return True
    if following.joined and not _STOP.search(word.text):
        return False
    if length >= COMMA_WORDS and _PAUSE.search(word.text):
        return True
    if not _STOP.search(word.text) or _ABBREVIATION.match(word.text):
        return False
    trails = word.text.rstrip("\"'”’»)]}").endswith(("...", "…"))
    return not (trails and following.text[:1].islower())


def _shares(cues: Sequence[Cue], sentence: Sentence) -> list[tuple[int, Span]]:
    """For each cue of a sentence the part of it, as fractions, that the cue covers."""
    places = range(sentence.first_cue, sentence.last_cue + 1)
    start, end = sentence.start, sentence.end
    shares: list[tuple[int, Span]] = []
    for place in places:
        first, last = _cue_times(cues[place])
        if start is None or end is None or first is None or last is None:
            return _shares_by_words(cues, places)
        length = end - start
        share = ((first - start) / length, (last - start) / length) if length > 0 else (0.0, 1.0)
        shares.append((place, share))
    return shares


def _shares_by_words(cues: Sequence[Cue], places: range) -> list[tuple[int, Span]]:
    counts = [max(len(cues[place].plain.split()), 1) for place in places]
    edges = [sum(counts[:n]) / sum(counts) for n in range(len(counts) + 1)]
    return [(place, (edges[n], edges[n + 1])) for n, place in enumerate(places)]


def _share_of(span: Span, share: Span) -> Span:
    """The part of a segment: cut off at the segment's ends; what lies wholly outside follows its edge."""
    length = span[1] - span[0]
    a, b = (min(max(edge, 0.0), 1.0) for edge in share)
    if a == b:
        b = a + max(share[1] - share[0], 0.0)
    return span[0] + a * length, span[0] + b * length

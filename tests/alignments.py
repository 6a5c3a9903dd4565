"""Small alignments, tame and hostile, for tests of what becomes of them in other tools."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidalign.types import Alignment, Cue, Sentence

Span = tuple[float, float]

HOSTILE = (
    "<script>alert(1)</script> & \"quotes\" 'n' <b>bold</b>",
    "x" * 10_000,
    "two\nlines\tand a tab, a comma; \\frac{1}{2 $",
    "控制 \x1b[31m \x0b \ufffe \U0001f600 مرحبا",
    "=1+1",
    "-->",
)
"""Cue texts that break careless writers."""


def made_alignment(
    texts: Sequence[str] = ("stir the egg", "put water", "thanks for watching"),
    spoken: Sequence[Span | None] = ((0.5, 2.25), (2.0, 4.0), (5.0, 6.5)),
    seen: Sequence[Span | None] = ((1.0, 3.0), (2.5, 4.5), None),
    clips: int = 8,
    video: str | None = "clip.mp4",
    **known: object,
) -> Alignment:
    """One cue a sentence; every sentence is scored highest in the first clip it is seen in."""
    count = len(texts)
    starts = np.arange(clips, dtype=np.float64)
    similarity = np.random.default_rng(5).random((count, clips), dtype=np.float32) / 2
    for k, span in enumerate(seen):
        if span is not None and clips:
            similarity[k, min(int(span[0] + 0.5), clips - 1)] = 0.9
    if clips and count:
        similarity[-1, -1] = np.nan
    what: dict[str, object] = {
        "scorer": "tan",
        "decoder": "peak",
        "model": "mini",
        "score": "cosine",
        "threshold": 0.5,
        "subtitles": "clip.vtt",
        **known,
    }
    return Alignment(
        similarity=similarity,
        alignability=np.linspace(0.9, 0.1, count, dtype=np.float32) if count else np.zeros(0, np.float32),
        confidence=np.full(count, 0.75, dtype=np.float32),
        aligned=np.array([span is not None for span in seen], dtype=np.bool_),
        segments=np.array([span or (np.nan, np.nan) for span in seen], dtype=np.float64).reshape(-1, 2),
        times=np.stack([starts, starts + 1], axis=1),
        sentences=tuple(
            Sentence(text, *(span or (None, None)), k, k, str(k + 1))
            for k, (text, span) in enumerate(zip(texts, spoken, strict=True))
        ),
        cues=tuple(
            Cue(*(_milliseconds(span)), text, text, str(k + 1))
            for k, (text, span) in enumerate(zip(texts, spoken, strict=True))
        ),
        video=video,
        **what,  # type: ignore[arg-type]
    )


def hostile_alignment() -> Alignment:
    """The texts of `HOSTILE`; times overlap, run backwards, are missing, begin before second 0."""
    count = len(HOSTILE)
    return made_alignment(
        HOSTILE,
        spoken=[(-1.0, 2.0), (0.0, 0.0), (0.0, 3.0), (4.0, 3.0), None, (100.0, 101.0)],
        seen=[(1.0, 3.0)] * (count - 1) + [None],
    )


def empty_alignment() -> Alignment:
    """No sentence."""
    return made_alignment((), (), ())


def _milliseconds(span: Span | None) -> tuple[int | None, int | None]:
    return (None, None) if span is None else (round(span[0] * 1000), round(span[1] * 1000))

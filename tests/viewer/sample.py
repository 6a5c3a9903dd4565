"""Alignments made by hand for tests of the pages: times and labels that can be reckoned in the head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidalign.types import Alignment, Cue, Sentence

STEP = 5.0
"""Sentence k is said from 5 k to 5 k + 3 s and, where it is aligned, seen from 5 k + 4 to 5 k + 8 s."""


def sample(
    count: int = 30, clips: int = 160, texts: Sequence[str] = (), *, width: int = 12, unscored: bool = True
) -> Alignment:
    """Every third sentence is aligned, with alignability 0.9; the others have 0.3 and 0.1 in turn.

    The matrix rises to a sentence's middle second, 5 k + 6; cells more than `width` steps away are unscored.
    """
    seconds, middles = np.arange(clips), np.arange(count) * STEP + 6
    distance = np.abs(seconds[None] + 0.5 - middles[:, None])
    similarity = (np.exp(-distance / 4) - 0.2).astype(np.float32)
    if unscored:
        similarity[distance > width * STEP] = np.nan
    aligned = np.arange(count) % 3 == 0
    segments = np.full((count, 2), np.nan)
    segments[aligned] = np.stack([middles - 2, middles + 2], axis=1)[aligned]
    words = [texts[k] if k < len(texts) else f"sentence {k} of the sample" for k in range(count)]
    sentences = tuple(Sentence(words[k], k * STEP, k * STEP + 3, k, k, str(k)) for k in range(count))
    return Alignment(
        similarity=similarity,
        alignability=np.choose(np.arange(count) % 3, [0.9, 0.3, 0.1]).astype(np.float32),
        confidence=np.where(aligned, 0.75, 0).astype(np.float32),
        aligned=aligned,
        segments=segments,
        times=np.stack([seconds, seconds + 1.0], axis=1).astype(np.float64),
        sentences=sentences,
        cues=tuple(Cue(round(k * 5000), round(k * 5000) + 3000, words[k], words[k]) for k in range(count)),
        model="mini",
        threshold=0.5,
        alignability_kind="head",
        video="howto.mp4",
        subtitles="howto.vtt",
    )

"""A world of letters: a second of video and a sentence are one-hot vectors, so all results are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.registry import Aligner
from vidalign.aligners.scores import Scores
from vidalign.aligners.windowing import Windowing
from vidalign.store.features import write_features
from vidalign.types import Features, Sentence
from vidalign.weights.cards import get_card

ALPHABET = "abcdefgh"


def vectors(letters: str) -> NDArray[np.float32]:
    """One-hot rows, one a letter; `.` is none of them."""
    return np.array([[c == known for known in ALPHABET] for c in letters], dtype=np.float32)


def seconds(letters: str, *, start: float = 0.0, length: float = 1.0) -> Features:
    """A clip a letter, `length` seconds each."""
    edges = start + length * np.arange(len(letters) + 1)
    return Features(vectors(letters).reshape(-1, len(ALPHABET)), np.stack([edges[:-1], edges[1:]], axis=1))


def write_seconds(path: Path, letters: str) -> Path:
    write_features(path, seconds(letters))
    return path


class Letters:
    """Sentences are read by their first letter."""

    name = "letters"
    text_model = "letters"

    def __init__(self, score_name: str = "cosine") -> None:
        self.score_name = score_name
        self.calls = 0

    def score(self, features: Features, sentences: Sequence[Sentence], windowing: Windowing) -> Scores:
        return Scores(self.embed_texts([s.text for s in sentences]) @ features.features.T, None, {})

    def embed_seconds(self, windows: NDArray[np.floating], stretch: int | None = None) -> NDArray[np.float32]:
        self.calls += 1
        return windows.astype(np.float32)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return vectors("".join(text[0] for text in texts))


class WholeLetters(Letters):
    """The same with vectors of whole segments, which say how many seconds these have."""

    def embed_segment(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        return np.asarray(features.sum(axis=0), dtype=np.float32)


def letters_aligner(scorer: Letters | None = None) -> Aligner:
    """An aligner that reads features of the letters' width."""
    card = get_card("mini")
    assert card.aligner is not None
    spec = replace(card.aligner, backbone="", config={"video_dim": len(ALPHABET)}, temperature=1.0)
    return Aligner(scorer or Letters(), card, spec, "")  # type: ignore[arg-type]

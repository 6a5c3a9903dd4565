"""What a scorer returns, and what a scorer is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.windowing import Window, Windowing
from vidalign.types import Features, Sentence

Encoders = Literal["both", "dual", "joint"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read off a scorer of two encoders: whose cosines, and the joint stage of the head's logit.

    None is the stage that the model was made for. The dual encoder alone has no logit.
    """

    encoders: Encoders = "both"
    head_stage: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """`similarity` (K, T) float32, NaN where no window scored; `head` (K,) alignability logits or None."""

    similarity: NDArray[np.float32]
    head: NDArray[np.float32] | None
    windowing: Mapping[str, Any]


AS_MADE = Reading()


class Scorer(Protocol):
    """Features and sentences become scores."""

    name: str
    score_name: str
    text_model: str

    def score(self, features: Features, sentences: Sequence[Sentence], windowing: Windowing) -> Scores:
        """Score K sentences against T clips; raises DataError where they do not fit the model."""
        ...

    def score_windows(
        self,
        features: Features,
        sentences: Sequence[Sentence],
        windows: Sequence[Window],
        *,
        stretch: int | None = None,
        reading: Reading = AS_MADE,
    ) -> Scores:
        """Score in these windows only; `stretch` spreads that many positions over longer windows."""
        ...

    def known_words(self, sentences: Sequence[Sentence]) -> float | None:
        """Share of the sentences' words that the text model knows, None where it has no closed dictionary."""
        ...


@runtime_checkable
class Embedder(Protocol):
    """A scorer whose seconds and sentences have vectors of one space, so that clips can be looked up by text.

    `score_name` says whether vectors are compared by cosine or dot.
    """

    score_name: str

    def embed_seconds(self, windows: NDArray[np.floating], stretch: int | None = None) -> NDArray[np.float32]:
        """Features (B, T, D) of B windows -> vectors (B, T, C), not normalised."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Texts -> vectors (K, C), not normalised."""
        ...


@runtime_checkable
class SegmentEmbedder(Protocol):
    """A scorer with vectors of whole segments, compared with its vectors of texts by dot product."""

    def embed_segment(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Features (T, D) of one segment -> its vector (C,), not normalised."""
        ...


def sentence_times(sentences: Sequence[Sentence]) -> NDArray[np.float64]:
    """When they are spoken (K, 2) in seconds, NaN without times."""
    known = [(np.nan, np.nan) if s.mid is None else (s.start, s.end) for s in sentences]
    return np.array(known, dtype=np.float64).reshape(-1, 2)


def sentence_mids(sentences: Sequence[Sentence]) -> NDArray[np.float64]:
    """Middles (K,) in seconds, NaN without times."""
    return np.array([np.nan if s.mid is None else s.mid for s in sentences], dtype=np.float64)

"""The words of vidalign as frozen dataclasses. Nothing here needs torch, and numpy only for annotations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from vidalign.recipe import Recipe

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating[Any]]

AlignabilityKind = Literal["calibrated", "head", "rank"]

__all__ = [
    "AlignabilityKind",
    "Alignment",
    "Cue",
    "Features",
    "Recipe",
    "Sentence",
    "TextFeatures",
    "Transcript",
]


@dataclass(frozen=True, slots=True)
class Cue:
    """One timed entry of a subtitle file, exactly as read.

    `start` and `end` are integer milliseconds (None: the format has no times). `text` is the payload with its
    markup, `plain` what a viewer sees. `words` are inline word stamps (start in ms, word). `line` is the
    1-based line of the source where the entry begins.
    """

    start: int | None
    end: int | None
    text: str
    plain: str
    id: str = ""
    settings: str = ""
    line: int = 0
    words: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Sentence:
    """The unit that is aligned; times in seconds (None: unknown), made of cues `first_cue`..`last_cue`."""

    text: str
    start: float | None
    end: float | None
    first_cue: int
    last_cue: int
    id: str = ""

    @property
    def mid(self) -> float | None:
        """Middle of the sentence in seconds, None without times."""
        return None if self.start is None or self.end is None else (self.start + self.end) / 2


@dataclass(frozen=True, slots=True)
class Transcript:
    """Cues and the sentences made of them, in order; `warnings` are lines for people."""

    cues: tuple[Cue, ...]
    sentences: tuple[Sentence, ...]
    source: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """One vector a clip: `features` (T, D), `times` (T, 2) in seconds, [start, end) of what each clip saw.

    `decoded_until` is the time in seconds up to which pictures could be decoded; `truncated` says that the
    file broke off before its end. None means unknown. Features that were pooled over time have one row, the
    `pooling` (max, avg) of all clips.
    """

    features: FloatArray
    times: NDArray[np.float64]
    backbone: str | None = None
    recipe: Recipe | None = None
    weights_sha256: str | None = None
    precision: str | None = None
    runtime: str | None = None
    reader: str | None = None
    video: str | None = None
    video_size: int | None = None
    duration: float | None = None
    video_start: float | None = None
    truncated: bool | None = None
    decoded_until: float | None = None
    pooling: str | None = None
    vidalign_version: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TextFeatures:
    """One vector a sentence: `features` (K, D) of the sentences `text` (K,), by the text model `model`."""

    features: FloatArray
    text: tuple[str, ...]
    model: str
    weights_sha256: str | None = None
    vidalign_version: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """What is known of K sentences against T clips.

    `similarity` (K, T) float32, NaN where no window scored the cell (None: left out); `alignability` and
    `confidence` (K,) in [0, 1]; `aligned` (K,) bool; `segments` (K, 2) seconds, NaN where not aligned;
    `times` (T, 2) seconds. `notice` says what world the model knows. `features_sha256` stands for the values
    and times of the features, `video_size` (bytes) for the video they were made from,
    `text_features_sha256` for sentence features that were given.
    """

    similarity: NDArray[np.float32] | None
    alignability: NDArray[np.float32]
    confidence: NDArray[np.float32]
    aligned: NDArray[np.bool_]
    segments: NDArray[np.float64]
    times: NDArray[np.float64] | None
    sentences: tuple[Sentence, ...]
    cues: tuple[Cue, ...]
    scorer: str | None = None
    decoder: str | None = None
    model: str | None = None
    score: str | None = None
    temperature: float | None = None
    windowing: Mapping[str, Any] = field(default_factory=dict)
    text_model: str | None = None
    features_recipe: Recipe | None = None
    features_weights_sha256: str | None = None
    features_sha256: str | None = None
    text_features_sha256: str | None = None
    video_size: int | None = None
    weights_sha256: str | None = None
    threshold: float | None = None
    alignability_kind: AlignabilityKind | None = None
    notice: str | None = None
    video: str | None = None
    subtitles: str | None = None
    vidalign_version: str | None = None

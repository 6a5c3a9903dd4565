"""The words of vidalign as frozen dataclasses. Nothing here needs torch, and numpy only for annotations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from vidalign.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating[Any]]

Resize = Literal["short", "exact"]
Interpolation = Literal["bilinear"]
Crop = Literal["center", "none"]
PixelRange = Literal["0-1", "-1-1", "0-255"]
Tail = Literal["drop", "zero", "repeat"]
AlignabilityKind = Literal["calibrated", "head", "rank"]


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


@dataclass(frozen=True, slots=True)
class Recipe:
    """How clips are cut from a video; belongs to the weights and travels in every features file.

    `fps` frames a second are sampled, `frames` make a clip, a clip begins every `stride` seconds.
    `resize` short: the shorter side becomes `size`; exact: both sides. `crop` cuts a square of `crop_size`.
    `mean` and `std` apply after `range`. `tail` says what a clip that lacks frames gets: it is dropped,
    filled with zeros (black), or with the nearest frame.
    """

    name: str
    fps: float
    frames: int
    stride: float
    size: int
    crop_size: int
    layer: str
    resize: Resize = "short"
    interpolation: Interpolation = "bilinear"
    crop: Crop = "center"
    views: int = 1
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    range: PixelRange = "0-1"
    l2: bool = False
    tail: Tail = "drop"

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                given = getattr(self, name)
                raise ConfigError(f"recipe {self.name!r}: {name} is {given!r}; one of {', '.join(choices)}")
        for name in ("fps", "frames", "stride", "size", "crop_size"):
            if not getattr(self, name) > 0:
                raise ConfigError(
                    f"recipe {self.name!r}: {name} must be above 0, not {getattr(self, name)!r}"
                )
        if self.views != 1:
            raise ConfigError(f"recipe {self.name!r}: views must be 1, not {self.views!r}")
        if self.crop == "center" and self.crop_size > self.size:
            raise ConfigError(
                f"recipe {self.name!r}: crop_size {self.crop_size} is larger than size {self.size}"
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, where: str = "recipe") -> Recipe:
        """Build from a YAML or JSON mapping; raises ConfigError on unknown, missing or mistyped keys."""
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(
                f"{where}: unknown key {unknown[0]!r}", hint=f"known keys: {', '.join(sorted(known))}"
            )
        required = ("name", "fps", "frames", "stride", "size", "crop_size", "layer")
        missing = [key for key in required if key not in values]
        if missing:
            raise ConfigError(f"{where}: the key {missing[0]!r} is missing")
        typed = {key: _typed(key, value, where) for key, value in values.items()}
        return cls(**typed)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Inverse of `to_json`."""
        return cls.from_mapping(json.loads(text))

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces; equal recipes give equal text."""
        values = asdict(self) | {"fps": float(self.fps), "stride": float(self.stride)}
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    def differences(self, other: Recipe) -> list[str]:
        """Lines 'key: here / there' for every field but the name that differs."""
        mine, theirs = asdict(self), asdict(other)
        return [f"{k}: {mine[k]} / {theirs[k]}" for k in mine if k != "name" and mine[k] != theirs[k]]


_CHOICES: dict[str, tuple[str, ...]] = {
    "resize": get_args(Resize),
    "interpolation": get_args(Interpolation),
    "crop": get_args(Crop),
    "range": get_args(PixelRange),
    "tail": get_args(Tail),
}


def _typed(key: str, value: Any, where: str) -> Any:
    numbers = {"fps": float, "stride": float, "frames": int, "size": int, "crop_size": int, "views": int}
    try:
        if key in numbers:
            if isinstance(value, bool) or (numbers[key] is int and int(value) != value):
                raise ValueError
            return numbers[key](value)
        if key in ("mean", "std"):
            triple = tuple(float(v) for v in value)
            if len(triple) != 3:
                raise ValueError
            return triple
        if key == "l2" and not isinstance(value, bool):
            raise ValueError
        if key not in ("l2", "mean", "std", *numbers) and not isinstance(value, str):
            raise ValueError
    except (TypeError, ValueError):
        raise ConfigError(f"{where}: {key} has the wrong type or value: {value!r}") from None
    return value


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """One vector a clip: `features` (T, D), `times` (T, 2) in seconds, [start, end) of what each clip saw.

    `decoded_until` is the time in seconds up to which pictures could be decoded; `truncated` says that the
    file broke off before its end. None means unknown.
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
    vidalign_version: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """What is known of K sentences against T clips.

    `similarity` (K, T) float32, NaN where no window scored the cell (None: left out); `alignability` and
    `confidence` (K,) in [0, 1]; `aligned` (K,) bool; `segments` (K, 2) seconds, NaN where not aligned;
    `times` (T, 2) seconds. `notice` says what world the model knows. `features_sha256` stands for the values
    and times of the features, `video_size` (bytes) for the video they were made from.
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
    video_size: int | None = None
    weights_sha256: str | None = None
    threshold: float | None = None
    alignability_kind: AlignabilityKind | None = None
    notice: str | None = None
    video: str | None = None
    subtitles: str | None = None
    vidalign_version: str | None = None

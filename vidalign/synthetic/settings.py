"""The knobs of the synthetic world, its three named levels, and YAML files that set them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from vidalign.errors import ConfigError, did_you_mean
from vidalign.outside import UnreadableError, load_yaml

MIN_SECONDS = 20
MAX_SECONDS = 3000
"""Steps of a longer video could run out of different (colour, shape, action)."""

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """Every knob; ranges are inclusive (low, high), shares and strengths lie in [0, 1], the rest is seconds.

    What is shown. `same_object_share` of the steps go on with the object before, `lookalike_share` differ
    from an earlier step in one attribute, `repeat_share` are an earlier step again. In `veil_share` of the
    steps colour and action are never seen together; in `hidden_share` a board hides a part. `cast` colours a
    whole video, `exposure` darkens a shot, `noise` is the grain in grey levels.

    What is said. `alignable_share` of the sentences can be seen; of these about `in_place_share`, and at most
    `max_in_place`, are spoken while it is shown; the others `late` or `early`. `drift` is what the narration
    gains or loses until the end. `silent_share` of the steps are not spoken of, `twice_share` twice.
    `absent_share` of the other sentences tell of things never shown. `pronoun_share` say 'it' where the
    object goes on, `partial_share` name only half. `error_share` of the words are misheard, `filler_share` of
    the sentences have an 'um'. `rolling` captions show the line before once more.
    """

    width: int = 160
    height: int = 120
    fps: int = 12
    seconds: float = 160.0
    step_seconds: Range = (4, 12)
    idle_seconds: Range = (1, 5)
    direct_cut_share: float = 0.2
    shot_change_share: float = 0.35
    same_object_share: float = 0.2
    lookalike_share: float = 0.15
    repeat_share: float = 0.0
    veil_share: float = 0.1
    hidden_share: float = 0.1
    cast: float = 0.1
    exposure: float = 0.1
    noise: int = 5
    distractors: int = 4
    cue_seconds: Range = (1.5, 3.5)
    alignable_share: Range = (0.36, 0.48)
    in_place_share: float = 0.22
    max_in_place: float = 0.4
    late: Range = (1.5, 9)
    early: Range = (0.5, 8)
    drift: float = 0.0
    silent_share: float = 0.08
    twice_share: float = 0.12
    absent_share: float = 0.45
    pronoun_share: float = 0.1
    partial_share: float = 0.05
    error_share: float = 0.01
    filler_share: float = 0.1
    rolling: bool = False

    def __post_init__(self) -> None:
        if not MIN_SECONDS <= self.seconds <= MAX_SECONDS:
            raise ConfigError(
                f"a synthetic video lasts {MIN_SECONDS} to {MAX_SECONDS} seconds, not {self.seconds:g}"
            )
        for field in fields(self):
            _check(field.name, getattr(self, field.name))
        if self.width % 2 or self.height % 2 or min(self.width, self.height) < 64 or self.fps < 1:
            raise ConfigError("width and height are even numbers from 64, fps at least 1")
        if self.step_seconds[0] < 3 or self.cue_seconds[0] < 0.5 or self.alignable_share[0] <= 0.05:
            raise ConfigError("steps last at least 3 s, cues 0.5 s, and one sentence in 20 is alignable")

    @property
    def frames(self) -> int:
        """Frames of a whole video."""
        return round(self.seconds * self.fps)


def _check(name: str, value: Any) -> None:
    """Raise ConfigError for a share outside [0, 1], a range upside down, and anything below 0."""
    if isinstance(value, tuple):
        low, high = value
        if not 0 <= low <= high or (name.endswith("_share") and high > 1):
            raise ConfigError(f"{name}: [low, high] is expected, not [{low:g}, {high:g}]")
        return
    limit = 1.0 if name.endswith("_share") or name in ("cast", "exposure", "max_in_place") else float("inf")
    if not 0 <= value <= limit:
        raise ConfigError(f"{name}: {value:g} is not between 0 and {limit:g}")


_DEFAULT = WorldSettings()
_PUBLISHED = replace(
    _DEFAULT,
    same_object_share=0.3,
    lookalike_share=0.3,
    veil_share=0.4,
    hidden_share=0.3,
    cast=0.3,
    exposure=0.3,
    noise=7,
    distractors=6,
    alignable_share=(0.27, 0.33),
    in_place_share=0.58,
    max_in_place=0.7,
    drift=2.0,
    pronoun_share=0.25,
    partial_share=0.15,
    error_share=0.04,
    filler_share=0.25,
)
LEVELS: Mapping[str, WorldSettings] = {
    "default": _DEFAULT,
    "published": _PUBLISHED,
    "hard": replace(_PUBLISHED, repeat_share=0.3),
}
"""`default`: no order-only repeats. `published`: noise as measured on HowTo100M (TAN, CVPR 2022: about 30 %
of the sentences alignable, 15 % well timed as they stand). `hard`: also steps that only order tells apart."""


def read_knobs(path: Path) -> dict[str, Any]:
    """What a YAML file `level: NAME` with any knobs beside it says; raises ConfigError."""
    try:
        document = load_yaml(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnreadableError as error:
        raise ConfigError(f"{path}{f':{error.line}' if error.line else ''}: {error}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: 'knob: value' lines are expected")
    return document


def make_settings(knobs: Mapping[str, Any], where: str = "world") -> WorldSettings:
    """`level` (default: default) changed by the other knobs; raises ConfigError for unknown or odd ones."""
    given = dict(knobs)
    level = given.pop("level", "default")
    if not isinstance(level, str) or level not in LEVELS:
        raise ConfigError(f"{where}: no level {level!r}", hint=did_you_mean(level, LEVELS))
    base = LEVELS[level]
    known = {field.name for field in fields(WorldSettings)}
    for name in given:
        if name not in known:
            raise ConfigError(f"{where}: unknown knob {name!r}", hint=did_you_mean(name, sorted(known)))
    return replace(base, **{k: _typed(k, v, getattr(base, k), where) for k, v in given.items()})


def as_knobs(settings: WorldSettings) -> dict[str, Any]:
    """Every knob as YAML knows it; `make_settings` reads it back."""
    knobs = ((field.name, getattr(settings, field.name)) for field in fields(settings))
    return {name: list(value) if isinstance(value, tuple) else value for name, value in knobs}


def _typed(name: str, value: Any, like: Any, where: str) -> Any:
    """`value` as the type of the knob's own value."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(like, bool):
        fits = isinstance(value, bool)
    elif isinstance(like, int):
        fits = number and value == int(value)
    elif isinstance(like, float):
        fits = number
    else:
        fits = isinstance(value, list | tuple) and len(value) == 2
        fits = fits and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
    if not fits:
        raise ConfigError(f"{where}: {name}: {value!r} is not like {like!r}")
    return tuple(value) if isinstance(like, tuple) else type(like)(value)

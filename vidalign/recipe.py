"""How clips are cut from a video: the words of a recipe, and which of them go together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from math import isfinite
from typing import Any, Literal, get_args

from vidalign.errors import ConfigError, did_you_mean
from vidalign.outside import load_json

Native = Literal["native"]
Resize = Literal["short", "exact", "none"]
LongSide = Literal["round", "floor"]
Interpolation = Literal["bilinear", "bicubic", "nearest"]
Crop = Literal["center", "none", "three", "ten"]
CropOffset = Literal["floor", "round"]
Sampling = Literal["stride", "dense", "uniform"]
StrideUnit = Literal["seconds", "frames"]
PixelRange = Literal["0-1", "-1-1", "0-255"]
Tail = Literal["drop", "zero", "repeat"]

CROPS: dict[str, int] = {"center": 1, "none": 1, "three": 3, "ten": 10}
"""Crop -> pictures that it makes of one."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How clips are cut from a video; belongs to the weights and travels in every features file.

    `fps` frames a second are sampled, or every frame of the stream (native). A clip takes `frames` of them,
    every `step`-th, so that it covers frames * step / fps seconds.

    `sampling` stride: a clip begins every `stride` seconds, or sampled frames (`stride_unit`). dense: one row
    a video, the mean of `views` clips whose starts lie evenly over it. uniform: one row a video, the mean of
    `views` clips whose frames lie evenly over it (both as in TSN's and TAM's tests).

    `resize` short: the shorter side becomes `size`, the longer keeps the ratio (`long_side` says how it is
    rounded); exact: both sides, or [height, width]; none: as it is. `rounding`: scaled pixels are rounded to
    8 bits. `crop` cuts squares of `crop_size`: from the centre (`crop_offset` says how halves are rounded),
    three along the longer side, or ten (the corners and the centre, and these mirrored); the row is the mean
    of them. `mean` and `std` apply after `range`.

    `tail` says what a clip that lacks frames gets: it is dropped, filled with zeros (black), or with the
    nearest frame. `floor_quirk`: a clip whose start, rounded down to the stream's clock, falls just before
    the frame that begins there, begins one frame of the stream earlier (as TSP's published features do).
    """

    name: str
    fps: float | Native
    frames: int
    stride: float
    size: int | tuple[int, int]
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
    step: int = 1
    stride_unit: StrideUnit = "seconds"
    sampling: Sampling = "stride"
    long_side: LongSide = "round"
    antialias: bool = True
    rounding: bool = True
    crop_offset: CropOffset = "floor"
    floor_quirk: bool = False

    def __post_init__(self) -> None:
        problem = next(_problems(self), None)
        if problem:
            raise ConfigError(f"recipe {self.name!r}: {problem}")

    @property
    def sample_rate(self) -> float:
        """Sampled frames a second; raises ConfigError where that is the stream's own rate."""
        if self.fps == "native":
            raise ConfigError(
                f"recipe {self.name!r} takes every frame of the stream; this needs a number of fps"
            )
        return float(self.fps)

    @property
    def period(self) -> Fraction:
        """Exact seconds from one sampled frame to the next; raises ConfigError for native."""
        return 1 / Fraction(str(self.sample_rate))

    @property
    def clip_seconds(self) -> Fraction:
        """Exact seconds that a clip covers; raises ConfigError for native."""
        return self.frames * self.step * self.period

    @property
    def stride_seconds(self) -> Fraction:
        """Exact seconds from the start of one clip to the next; raises ConfigError for native frames."""
        stride = Fraction(str(self.stride))
        return stride if self.stride_unit == "seconds" else stride * self.period

    @property
    def row_views(self) -> int:
        """Clips that one row is the mean of."""
        return self.views * CROPS[self.crop]

    @property
    def frame_shape(self) -> tuple[int, int] | None:
        """(height, width) of what the network sees, None where it depends on the video."""
        if self.crop != "none":
            return self.crop_size, self.crop_size
        if self.resize != "exact":
            return None
        return self.size if isinstance(self.size, tuple) else (self.size, self.size)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, where: str = "recipe") -> Recipe:
        """Build from a YAML or JSON mapping; raises ConfigError on unknown, missing or mistyped keys.

        Sizes and strides of which the recipe makes no use may be missing.
        """
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(
                f"{where}: unknown key {unknown[0]!r}",
                hint=did_you_mean(unknown[0], sorted(known), f"known keys: {', '.join(sorted(known))}"),
            )
        typed = _with_unused({key: _typed(key, value, where) for key, value in values.items()})
        required = ("name", "fps", "frames", "stride", "size", "crop_size", "layer")
        missing = [key for key in required if key not in typed]
        if missing:
            raise ConfigError(f"{where}: the key {missing[0]!r} is missing")
        return cls(**typed)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Inverse of `to_json`; raises ConfigError, or ValueError where it is no JSON."""
        values = load_json(text)
        if not isinstance(values, Mapping):
            raise ConfigError(f"recipe: a mapping of names to values is expected, not {values!r}")
        return cls.from_mapping(values)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces; equal recipes give equal text."""
        fps = self.fps if self.fps == "native" else float(self.fps)
        values = asdict(self) | {"fps": fps, "stride": float(self.stride)}
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    def differences(self, other: Recipe) -> list[str]:
        """Lines 'key: here / there' for every field but the name that differs."""
        pairs = ((f.name, getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return [
            f"{name}: {mine} / {theirs}" for name, mine, theirs in pairs if name != "name" and mine != theirs
        ]


_CHOICES: dict[str, tuple[str, ...]] = {
    "resize": get_args(Resize),
    "long_side": get_args(LongSide),
    "interpolation": get_args(Interpolation),
    "crop": get_args(Crop),
    "crop_offset": get_args(CropOffset),
    "sampling": get_args(Sampling),
    "stride_unit": get_args(StrideUnit),
    "range": get_args(PixelRange),
    "tail": get_args(Tail),
}
_COUNTS = ("frames", "crop_size", "views", "step")
_SWITCHES = ("l2", "antialias", "rounding", "floor_quirk")


def _problems(recipe: Recipe) -> Iterator[str]:
    """Lines on what cannot be, the first one first."""
    for name, choices in _CHOICES.items():
        if getattr(recipe, name) not in choices:
            yield f"{name} is {getattr(recipe, name)!r}; one of {', '.join(choices)}"
    if isinstance(recipe.fps, str) and recipe.fps != "native":
        yield f"fps is {recipe.fps!r}; a number, or native"
    numbers = {name: getattr(recipe, name) for name in (*_COUNTS, "stride")}
    numbers |= {"fps": recipe.fps} if recipe.fps != "native" else {}
    sides = recipe.size if isinstance(recipe.size, tuple) else (recipe.size,)
    for name, number in [*numbers.items(), *(("size", side) for side in sides)]:
        if not (number > 0 and isfinite(number)):
            yield f"{name} must be above 0, not {number!r}"
    if not all(isfinite(v) for v in (*recipe.mean, *recipe.std)) or 0 in recipe.std:
        yield "mean and std must be finite, and std not 0"
    yield from _clashes(recipe, sides)


def _clashes(recipe: Recipe, sides: tuple[int, ...]) -> Iterator[str]:
    """Lines on values that do not go together."""
    if recipe.resize != "exact" and len(sides) == 2:
        yield f"size [height, width] goes with resize: exact, not {recipe.resize}"
    if recipe.crop != "none" and recipe.resize != "none" and recipe.crop_size > min(sides):
        yield f"crop_size {recipe.crop_size} is larger than size {min(sides)}"
    if recipe.sampling == "stride" and recipe.views != 1:
        yield f"views: {recipe.views} goes with sampling: dense or uniform only"
    if recipe.sampling == "uniform" and recipe.step != 1:
        yield "step goes with sampling: stride or dense only; uniform spreads its frames over the video"
    whole = recipe.stride == int(recipe.stride)
    if recipe.fps == "native" and recipe.stride_unit == "frames" and not whole:
        yield f"a stride in frames of the stream must be a whole number, not {recipe.stride!r}"
    if recipe.floor_quirk and (recipe.sampling != "stride" or recipe.fps == "native"):
        yield "floor_quirk goes with sampling: stride and a number of fps only"


def _with_unused(values: dict[str, Any]) -> dict[str, Any]:
    """With values for the keys that a recipe like this makes no use of."""
    filled = dict(values)
    if values.get("resize") == "none":
        filled.setdefault("size", values.get("crop_size", 1))
    if values.get("crop") == "none" and "size" in filled:
        size = filled["size"]
        filled.setdefault("crop_size", min(size) if isinstance(size, tuple) else size)
    if values.get("sampling", "stride") != "stride":
        filled.setdefault("stride", 1.0)
    return filled


def _typed(key: str, value: Any, where: str) -> Any:
    """The value as its field has it; raises ConfigError."""
    try:
        if key in ("fps", "stride"):
            return value if value == "native" and key == "fps" else _number(value)
        if key in _COUNTS:
            return _whole(value)
        if key == "size":
            return _size(value)
        if key in ("mean", "std"):
            triple = tuple(_number(v) for v in value)
            if len(triple) != 3:
                raise ValueError
            return triple
        if not isinstance(value, bool if key in _SWITCHES else str):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"{where}: {key} has the wrong type or value: {value!r}") from None
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or int(value) != value:
        raise ValueError
    return int(value)


def _size(value: Any) -> int | tuple[int, int]:
    if isinstance(value, list | tuple):
        height, width = (_whole(side) for side in value)
        return height, width
    return _whole(value)

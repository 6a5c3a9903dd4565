"""Recipes: what is refused and in which words, what is filled in, and that old ones stay what they were."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidalign.errors import ConfigError
from vidalign.types import Recipe

BASE: dict[str, Any] = {
    "name": "own",
    "fps": 15,
    "frames": 16,
    "stride": 1,
    "size": 128,
    "crop_size": 112,
    "layer": "features",
}
OLD = (
    '{"crop":"center","crop_size":224,"fps":16.0,"frames":16,"interpolation":"bilinear","l2":false,'
    '"layer":"mixed_5c","mean":[0.0,0.0,0.0],"name":"s3d-16fps","range":"0-1","resize":"short","size":224,'
    '"std":[1.0,1.0,1.0],"stride":1.0,"tail":"drop","views":1}'
)
"""As files written by version 0.3 hold it."""


def recipe(**changes: Any) -> Recipe:
    return Recipe.from_mapping({**BASE, **changes})


def test_a_recipe_of_an_older_file_is_the_same_recipe() -> None:
    old = Recipe.from_json(OLD)
    new = Recipe("s3d-16fps", 16, 16, 1.0, 224, 224, "mixed_5c")
    assert old == new and not old.differences(new)
    assert old.to_json() == new.to_json()
    assert json.loads(OLD).items() <= json.loads(new.to_json()).items()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fps": "all"}, "fps has the wrong type or value: 'all'"),
        ({"fps": True}, "fps has the wrong type or value"),
        ({"fps": 0}, "fps must be above 0"),
        ({"fps": float("nan")}, "fps must be above 0"),
        ({"frames": 1.5}, "frames has the wrong type or value: 1.5"),
        ({"step": 0}, "step must be above 0"),
        ({"views": 0}, "views must be above 0"),
        ({"stride": -1}, "stride must be above 0"),
        ({"stride": "native"}, "stride has the wrong type or value"),
        ({"stride_unit": "samples"}, "stride_unit is 'samples'; one of seconds, frames"),
        ({"sampling": "sparse"}, "sampling is 'sparse'; one of stride, dense, uniform"),
        ({"resize": "long"}, "resize is 'long'; one of short, exact, none"),
        ({"interpolation": "lanczos"}, "one of bilinear, bicubic, nearest"),
        ({"crop": "five"}, "one of center, none, three, ten"),
        ({"crop_offset": "up"}, "one of floor, round"),
        ({"long_side": "up"}, "one of round, floor"),
        ({"antialias": 1}, "antialias has the wrong type or value: 1"),
        ({"rounding": "no"}, "rounding has the wrong type or value"),
        ({"size": [128, 171]}, "size [height, width] goes with resize: exact, not short"),
        ({"size": [128, 171, 3], "resize": "exact"}, "size has the wrong type or value"),
        ({"size": [128, 0], "resize": "exact"}, "size must be above 0"),
        ({"size": [100, 171], "resize": "exact"}, "crop_size 112 is larger than size 100"),
        ({"crop": "three", "crop_size": 129}, "crop_size 129 is larger than size 128"),
        ({"views": 10}, "views: 10 goes with sampling: dense or uniform only"),
        ({"sampling": "uniform", "step": 2}, "step goes with sampling: stride or dense only"),
        ({"fps": "native", "stride": 1.5, "stride_unit": "frames"}, "must be a whole number, not 1.5"),
        ({"fps": "native", "floor_quirk": True}, "floor_quirk goes with sampling: stride"),
        ({"sampling": "dense", "floor_quirk": True}, "floor_quirk goes with sampling: stride"),
        ({"std": [1, 0, 1]}, "std not 0"),
        ({"mean": [0, 0]}, "mean has the wrong type or value"),
        ({"colour": "bgr"}, "unknown key 'colour'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        recipe(**changes)
    assert said in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("without", "changes", "filled"),
    [
        ("crop_size", {"crop": "none", "resize": "exact", "size": [128, 171]}, 128),
        ("crop_size", {"crop": "none"}, 128),
        ("size", {"resize": "none"}, 112),
        ("stride", {"sampling": "dense", "views": 10}, 1.0),
    ],
)
def test_a_key_without_use_may_be_missing(without: str, changes: dict[str, Any], filled: Any) -> None:
    values = {key: value for key, value in {**BASE, **changes}.items() if key != without}
    assert getattr(Recipe.from_mapping(values), without) == filled
    with pytest.raises(ConfigError, match=f"the key '{without}' is missing"):
        Recipe.from_mapping({key: value for key, value in BASE.items() if key != without})


@given(
    fps=st.one_of(st.just("native"), st.integers(1, 60), st.sampled_from([29.97, 12.5])),
    size=st.one_of(st.integers(112, 300), st.tuples(st.integers(112, 300), st.integers(112, 300))),
    crop=st.sampled_from(["center", "none", "three", "ten"]),
    sampling=st.sampled_from(["stride", "dense", "uniform"]),
    switches=st.tuples(*[st.booleans()] * 3),
)
def test_canonical_json_reads_back(fps: Any, size: Any, crop: Any, sampling: Any, switches: Any) -> None:
    made = recipe(
        fps=fps,
        size=size,
        resize="exact",
        crop=crop,
        sampling=sampling,
        views=1 if sampling == "stride" else 10,
        antialias=switches[0],
        rounding=switches[1],
        l2=switches[2],
    )
    assert Recipe.from_json(made.to_json()) == made
    assert Recipe.from_json(made.to_json()).to_json() == made.to_json()


def test_what_follows_from_a_recipe() -> None:
    tsp = recipe(stride=16, stride_unit="frames", resize="exact", size=[128, 171])
    assert tsp.period == Fraction(1, 15)
    assert tsp.stride_seconds == tsp.clip_seconds == Fraction(16, 15)
    assert recipe(step=3).clip_seconds == Fraction(16, 5)
    assert tsp.frame_shape == (112, 112)
    assert recipe(resize="exact", size=[128, 171], crop="none").frame_shape == (128, 171)
    assert recipe(crop="none").frame_shape is None
    assert recipe(sampling="dense", views=10, crop="three").row_views == 30
    with pytest.raises(ConfigError, match="every frame of the stream"):
        _ = recipe(fps="native").period

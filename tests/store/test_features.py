"""Features files: what goes in comes out, the same bytes every time, and anything else is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vidalign.errors import StoreError
from vidalign.store.features import SCHEMA, read_features, read_features_attributes, write_features
from vidalign.types import Features, Recipe

RECIPE = Recipe("s3d-16fps", 16, 16, 1.0, 224, 224, "mixed_5c")
FULL = Features(
    features=np.arange(12, dtype=np.float16).reshape(3, 4),
    times=np.array([[0, 1], [1, 2], [2, 2.5]]),
    backbone="mini",
    recipe=RECIPE,
    weights_sha256="ab" * 32,
    precision="float32",
    runtime="torch 2 cpu",
    reader="pyav 18",
    video="Ünïcode ☃ 动画.mp4",
    video_size=2**40,
    duration=2.5,
    video_start=0.0,
    truncated=False,
    decoded_until=2.5,
    pooling="max",
    vidalign_version="0.1.0",
)
ATTRIBUTES = [f.name for f in fields(Features) if f.name not in ("features", "times")]

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
shapes = npst.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=5)


def equal(one: Features, two: Features) -> bool:
    same = all(getattr(one, name) == getattr(two, name) for name in ATTRIBUTES)
    arrays = all(
        a.dtype == b.dtype and a.tobytes() == b.tobytes()
        for a, b in ((one.features, two.features), (one.times, two.times))
    )
    return same and arrays


def test_everything_comes_back(tmp_path: Path) -> None:
    write_features(tmp_path / "a.h5", FULL)
    assert equal(read_features(tmp_path / "a.h5"), FULL)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), dtype=st.sampled_from([np.float16, np.float32]), shape=shapes, video=names)
def test_any_features_come_back(
    tmp_path: Path, data: st.DataObject, dtype: type[Any], shape: tuple[int, int], video: str
) -> None:
    values = data.draw(npst.arrays(dtype, shape))
    times = data.draw(npst.arrays(np.float64, (shape[0], 2)))
    given_features = replace(FULL, features=values, times=times, video=video)
    write_features(tmp_path / "a.h5", given_features)
    assert equal(read_features(tmp_path / "a.h5"), given_features)


def test_a_missing_attribute_is_unknown(tmp_path: Path) -> None:
    bare = Features(FULL.features, FULL.times)
    write_features(tmp_path / "a.h5", bare)
    read = read_features(tmp_path / "a.h5")
    assert [getattr(read, name) for name in ATTRIBUTES] == [None] * len(ATTRIBUTES)


def test_attributes_alone(tmp_path: Path) -> None:
    write_features(tmp_path / "a.h5", FULL)
    found = read_features_attributes(tmp_path / "a.h5")
    assert found.pop("schema") == SCHEMA
    assert found.pop("dtype") == "float16"
    assert found == {name: getattr(FULL, name) for name in ATTRIBUTES}
    assert {name: type(value) for name, value in found.items()} == {
        name: type(getattr(FULL, name)) for name in ATTRIBUTES
    }


def test_the_layout_other_programs_rely_on(tmp_path: Path) -> None:
    write_features(tmp_path / "a.h5", FULL)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["features"].dtype == np.float16
        assert file["features"].chunks is None
        assert file["times"].dtype == np.float64
        assert set(file) == {"features", "times"}
        assert set(file.attrs) == {"schema", "complete", *ATTRIBUTES}
        assert file.attrs["recipe"] == RECIPE.to_json()
        assert file.attrs["complete"]


def test_an_undecodable_file_name_comes_back(tmp_path: Path) -> None:
    write_features(tmp_path / "a.h5", replace(FULL, video="caf\udce9.mp4"))
    assert read_features(tmp_path / "a.h5").video == "caf\udce9.mp4"


@pytest.mark.parametrize("video", ["a\0b", "half \ud83d"])
def test_text_that_hdf5_cannot_hold_is_refused_and_nothing_left(tmp_path: Path, video: str) -> None:
    with pytest.raises(StoreError, match="video: "):
        write_features(tmp_path / "a.h5", replace(FULL, video=video))
    assert not list(tmp_path.iterdir())


def test_same_content_same_bytes_in_another_process_and_later(tmp_path: Path) -> None:
    write_features(tmp_path / "a.h5", FULL)
    script = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import test_features as t;"
    script += "from pathlib import Path; t.write_features(Path(sys.argv[1]), t.FULL)"
    later = "import time; time.sleep(1.1);"  # HDF5 stamps, where it does, in whole seconds
    subprocess.run([sys.executable, "-c", later + script, tmp_path / "b.h5"], check=True)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.mark.parametrize(
    ("values", "times"),
    [
        (np.zeros((2, 3), np.float64), np.zeros((2, 2))),
        (np.zeros((2, 3, 1), np.float32), np.zeros((2, 2))),
        (np.zeros((2, 3), np.float32), np.zeros((3, 2))),
        (np.zeros((2, 3), np.float32), np.zeros(2)),
    ],
)
def test_shapes_that_do_not_fit_are_refused_with_their_numbers(
    tmp_path: Path, values: np.ndarray[Any, Any], times: np.ndarray[Any, Any]
) -> None:
    with pytest.raises(StoreError, match=r"shape \("):
        write_features(tmp_path / "a.h5", Features(values, times))
    assert not (tmp_path / "a.h5").exists()


def set_attribute(name: str, value: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            file.attrs[name] = value

    return change


def remove(name: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            if name in file.attrs:
                del file.attrs[name]
            else:
                del file[name]

    return change


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "cannot read .*No such file"),
        (lambda path: path.write_bytes(b""), "not an HDF5 file"),
        (lambda path: path.write_bytes(b"WEBVTT\n"), "not an HDF5 file"),
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "damaged or cut off"),
        (lambda path: path.write_bytes(path.read_bytes()[:-8]), "damaged or cut off"),
        (set_attribute("schema", "vidalign.features/2"), "newer than vidalign.features/1"),
        (
            set_attribute("schema", "vidalign.alignment/1"),
            "holds vidalign.alignment/1, but vidalign.features/1",
        ),
        (set_attribute("schema", "something else"), "not a vidalign file"),
        (set_attribute("schema", 7), "not a vidalign file"),
        (remove("schema"), "not a vidalign file"),
        (remove("complete"), "not written to its end"),
        (set_attribute("complete", False), "not written to its end"),
        (set_attribute("recipe", "{"), "recipe cannot be understood"),
        (set_attribute("recipe", '{"unknown": 1}'), "recipe cannot be understood.*unknown"),
        (remove("times"), "does not hold what its schema promises"),
        (remove("features"), "does not hold what its schema promises"),
    ],
)
def test_what_is_no_whole_features_file_is_refused(
    tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    path = tmp_path / "a.h5"
    write_features(path, FULL)
    spoil(path)
    with pytest.raises(StoreError, match=said):
        read_features(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a plain file"):
        read_features(tmp_path)


def test_a_minor_revision_and_further_attributes_are_read(tmp_path: Path) -> None:
    write_features(tmp_path / "a.h5", FULL)
    set_attribute("schema", "vidalign.features/1.4")(tmp_path / "a.h5")
    set_attribute("new", 1)(tmp_path / "a.h5")
    assert equal(read_features(tmp_path / "a.h5"), FULL)


def test_a_wrong_kind_of_file_says_where_the_right_one_comes_from(tmp_path: Path) -> None:
    write_features(tmp_path / "a.h5", FULL)
    set_attribute("schema", "vidalign.alignment/1")(tmp_path / "a.h5")
    with pytest.raises(StoreError) as caught:
        read_features(tmp_path / "a.h5")
    assert "vidalign extract" in caught.value.hint

"""Features as one row a second: where they lie, what is resampled, what is refused."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from vidalign.errors import DataError, StoreError
from vidalign.store.features import map_features, read_features, write_features
from vidalign.training.data.rows import HeldRows, Origin, StoredRows, by_second, open_rows
from vidalign.types import Features
from vidalign.weights.recipes import get_recipe


def seconds(count: int) -> np.ndarray:
    starts = np.arange(count, dtype=np.float64)
    return np.stack([starts, starts + 1], axis=1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_stored_rows_are_those_of_the_file(tmp_path: Path, dtype: type) -> None:
    values = np.random.default_rng(0).standard_normal((9, 5)).astype(dtype)
    recipe = get_recipe("mini-8fps")
    write_features(tmp_path / "a.h5", Features(values, seconds(9), "mini", recipe, weights_sha256="ab"))
    rows, origin = open_rows(tmp_path / "a.h5")
    assert isinstance(rows, StoredRows)
    assert rows.seconds == 9
    assert origin == Origin(5, "mini", recipe, "ab")
    read = rows.read(2, 7)
    assert read.dtype == np.float32
    assert np.array_equal(read, values[2:7].astype(np.float32))


def test_mapped_features_equal_read_ones(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.float16).reshape(4, 3)
    write_features(tmp_path / "a.h5", Features(values, seconds(4), "mini", video="a.mp4"))
    mapped, read = map_features(tmp_path / "a.h5"), read_features(tmp_path / "a.h5")
    assert isinstance(mapped.features, np.memmap)
    assert np.array_equal(mapped.features, read.features)
    assert (mapped.backbone, mapped.video) == (read.backbone, read.video) == ("mini", "a.mp4")
    with pytest.raises(ValueError, match="read-only"):
        mapped.features[0] = 0


def test_chunked_values_are_read(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    write_features(tmp_path / "a.h5", Features(values, seconds(4)))
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file["features"]
        file.create_dataset("features", data=values, chunks=(2, 3), compression="gzip")
    rows, _ = open_rows(tmp_path / "a.h5")
    assert isinstance(rows, HeldRows)
    assert np.array_equal(rows.read(1, 3), values[1:3])


def test_arrays_count_as_one_row_a_second(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    np.save(tmp_path / "v.mp4.npy", values)
    rows, origin = open_rows(tmp_path / "v.mp4.npy")
    assert origin == Origin(4)
    assert np.array_equal(rows.read(1, 6), values[1:])


@pytest.mark.parametrize(
    "values",
    [np.zeros(4, np.float32), np.zeros((2, 2), np.int64), np.zeros((0, 2), np.float32), np.array([None])],
)
def test_other_arrays_are_refused(tmp_path: Path, values: np.ndarray) -> None:
    np.save(tmp_path / "v.npy", values, allow_pickle=True)
    with pytest.raises(StoreError, match=r"v\.npy"):
        open_rows(tmp_path / "v.npy")


def test_half_second_clips_are_averaged(tmp_path: Path) -> None:
    starts = np.arange(8) / 2
    times = np.stack([starts, starts + 0.5], axis=1)
    values = np.arange(8, dtype=np.float32)[:, None]
    write_features(tmp_path / "a.h5", Features(values, times))
    rows, _ = open_rows(tmp_path / "a.h5")
    assert rows.read(0, 4)[:, 0].tolist() == [0.5, 2.5, 4.5, 6.5]


def test_clips_count_by_their_overlap() -> None:
    times = np.array([[0, 1.25], [1.25, 2.5], [2.5, 3.75]])
    rows = by_second(np.array([[0.0], [4.0], [8.0]], np.float32), times)
    assert rows[:, 0].tolist() == [0.0, 3.0, 6.0, 8.0]


def test_a_late_first_picture_keeps_rows_at_their_seconds() -> None:
    times = seconds(22)[2:]
    rows = by_second(np.arange(2, 22, dtype=np.float32)[:, None], times)
    assert rows[:, 0].tolist() == [2, 2, *range(2, 22)]


def test_holes_are_refused() -> None:
    with pytest.raises(DataError, match="9 of 19 seconds lie in no clip"):
        by_second(np.zeros((10, 1), np.float32), seconds(20)[::2])


def test_a_clip_cut_by_the_end_is_a_row(tmp_path: Path) -> None:
    times = seconds(5)
    times[-1, 1] = 4.2
    write_features(tmp_path / "a.h5", Features(np.zeros((5, 2), np.float32), times))
    assert open_rows(tmp_path / "a.h5")[0].seconds == 5


def test_values_that_are_not_finite_are_refused_when_they_are_read(tmp_path: Path) -> None:
    values = np.zeros((5, 2), np.float32)
    values[3, 1] = np.nan
    write_features(tmp_path / "a.h5", Features(values, seconds(5)))
    rows, _ = open_rows(tmp_path / "a.h5")
    rows.read(0, 3)
    with pytest.raises(DataError, match=r"a\.h5: the features hold NaN"):
        rows.read(2, 5)


def test_a_file_that_has_become_shorter_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.zeros((6, 4), np.float32))
    rows, _ = open_rows(tmp_path / "v.npy")
    np.save(tmp_path / "v.npy", np.zeros((3, 4), np.float32))
    with pytest.raises(StoreError, match="shorter"):
        rows.read(2, 5)


def test_origins_differ_only_in_what_is_known() -> None:
    recipe = get_recipe("mini-8fps")
    known = Origin(4, "mini", recipe, "ab")
    assert known.differences(Origin(4)) == []
    assert known.differences(Origin(5, "mini")) == ["width: 4 / 5"]
    assert known.differences(Origin(4, "other", recipe, "cd")) == [
        "backbone: mini / other",
        "weights_sha256: ab / cd",
    ]
    assert known.differences(Origin(4, "mini", get_recipe("s3d-16fps")))[0].startswith("fps: ")

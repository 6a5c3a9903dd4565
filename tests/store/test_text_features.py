"""Text features files: written whole, read strictly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.tiny import made_features
from vidalign.errors import StoreError
from vidalign.store.features import write_features
from vidalign.store.kind import kind_of
from vidalign.store.text_features import content_sha256, read_text_features, write_text_features
from vidalign.types import TextFeatures

TEXTS = ("put the egg", "", "façade – 蛋")


def made(dtype: type = np.float32, **change: object) -> TextFeatures:
    values = np.random.default_rng(0).standard_normal((3, 5)).astype(dtype)
    return replace(TextFeatures(values, TEXTS, "some-tower", "ab" * 32, "1"), **change)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_what_is_written_is_read_back(tmp_path: Path, dtype: type) -> None:
    texts = made(dtype)
    write_text_features(tmp_path / "a.h5", texts)
    write_text_features(tmp_path / "b.h5", texts)
    found = read_text_features(tmp_path / "a.h5")
    assert found.features.dtype == dtype and np.array_equal(found.features, texts.features)
    assert (found.text, found.model, found.weights_sha256) == (TEXTS, "some-tower", "ab" * 32)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    assert content_sha256(found) == content_sha256(texts) != content_sha256(made(text=("a", "b", "c")))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"text": TEXTS[:2]}, "3 vectors for 2 sentences"),
        ({"features": np.zeros((3, 5))}, "float64 of shape"),
        ({"features": np.zeros(3, np.float32)}, "of shape"),
        ({"features": np.zeros((3, 0), np.float32)}, "of shape"),
        ({"features": np.full((3, 5), np.nan, np.float32)}, "sentence 1 holds NaN"),
        ({"model": ""}, "which model"),
    ],
)
def test_what_does_not_fit_is_not_written(tmp_path: Path, change: dict[str, object], told: str) -> None:
    with pytest.raises(StoreError, match=told):
        write_text_features(tmp_path / "a.h5", made(**change))
    assert not (tmp_path / "a.h5").exists()


def test_other_files_are_told(tmp_path: Path) -> None:
    write_features(tmp_path / "video.h5", made_features())
    with pytest.raises(StoreError, match=r"holds vidalign.features/1, but vidalign.text/1 is expected"):
        read_text_features(tmp_path / "video.h5")
    write_text_features(tmp_path / "text.h5", made())
    with pytest.raises(StoreError, match="holds sentence features"):
        kind_of(tmp_path / "text.h5")
    with h5py.File(tmp_path / "text.h5", "a") as file:
        del file["text"]
    with pytest.raises(StoreError, match="does not hold what its schema promises"):
        read_text_features(tmp_path / "text.h5")
    (tmp_path / "text.h5").write_bytes(b"nothing")
    with pytest.raises(StoreError, match="is not an HDF5 file"):
        read_text_features(tmp_path / "text.h5")

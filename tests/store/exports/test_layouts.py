"""Every layout of features, loaded by the very expression of the tool that reads it, and read back in."""

from __future__ import annotations

import glob
import io
import json
import os
import sys
import tarfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import webdataset
from safetensors import safe_open
from safetensors.numpy import load_file

from tests.store.exports.conftest import Export
from tests.tiny import made_features
from vidalign.errors import MissingExtraError, StoreError
from vidalign.store.exports.formats import FeaturesFormat, Rows
from vidalign.store.exports.registry import BUILT_IN, get_format
from vidalign.store.features import write_features
from vidalign.types import Features

HELD = made_features(7, 6)
NAMES = [name for name in BUILT_IN if get_format(name).kind == "features"]


def half(held: Features = HELD) -> Features:
    return Features(held.features.astype(np.float16), held.times, video="clip.mp4")


def rows(name: str, path: Path, key: str | None = None) -> dict[str, Rows]:
    form = get_format(name)
    assert isinstance(form, FeaturesFormat) and form.read is not None
    return dict(form.read(path, path.name.removesuffix(form.suffix), key))


def test_tan(export: Export) -> None:
    path = export("tan", half(), called=("vid",))
    array = np.load(os.path.join(path.parent, "{}.mp4.npy".format("vid")))  # noqa: PTH118
    feature = torch.from_numpy(array)
    assert feature.size(0) == 7 and feature[2:5, :].float().shape == (3, 6)
    assert np.array_equal(array, half().features)


def test_moment_detr(export: Export) -> None:
    path = export("moment-detr", half(), called=("vid",))
    feature = np.load(os.path.join(path.parent, "vid.npz"))["features"][:75].astype(np.float32)  # noqa: PTH118
    assert np.array_equal(feature, half().features)
    assert np.load(path)["features"].dtype == np.float32


def test_2d_tan(export: Export) -> None:
    path = export("2d-tan", half(), made_features(3, 6), called=("s25-d52.avi", "b"))
    with h5py.File(path, "r") as hdf5_file:
        features = torch.from_numpy(hdf5_file["s25-d52.avi"][:])
        assert features.dtype == torch.float32
        assert torch.nn.functional.normalize(features, dim=1).shape == (7, 6)
        assert hdf5_file["b"][:].shape == (3, 6)


def test_mad(export: Export) -> None:
    path = export("mad", half(), made_features(3, 6), called=("1", "2"))
    with h5py.File(path, "r") as f:
        vid_feats = {m: torch.from_numpy(f[m][:]) for m in ("1", "2")}
        v_feat = torch.tensor(np.array(f["1"]), dtype=torch.float)
    assert {m: (v.dtype, len(v)) for m, v in vid_feats.items()} == {
        "1": (torch.float32, 7),
        "2": (torch.float32, 3),
    }
    assert torch.equal(v_feat, vid_feats["1"])


def test_vslnet(export: Export) -> None:
    path = export("vslnet", half(), called=("vid",))
    video_features = {
        filename.split("/")[-1].split(".")[0]: np.load(filename)
        for filename in glob.glob(os.path.join(path.parent, "*.npy"))  # noqa: PTH118, PTH207
    }
    assert list(video_features) == ["vid"] and video_features["vid"].dtype == np.float32
    padded = np.concatenate([video_features["vid"], np.zeros([2, 6], dtype=np.float32)], axis=0)
    assert padded.shape == (9, 6) and padded.dtype == np.float32


@pytest.mark.parametrize("held", [HELD, half()])
def test_videoclip(held: Features, export: Export) -> None:
    path = export("videoclip", held, called=("vid",))
    feat = np.load(os.path.join(path.parent, "vid" + ".npy"))  # noqa: PTH118
    vfeats = np.zeros((32, feat.shape[1]), dtype=np.float32)
    vfeats[0:7] = feat[0:7]
    assert np.array_equal(vfeats[:7], held.features) and feat.dtype == held.features.dtype


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # its reader leaves files open
def test_webdataset(export: Export) -> None:
    path = export("webdataset", HELD, made_features(3, 6), called=("a/b.c", "d"))
    samples = list(webdataset.WebDataset(str(path), shardshuffle=False).decode())
    assert [sample["__key__"] for sample in samples] == ["a/b_c", "d"]
    assert np.array_equal(samples[0]["npy"], HELD.features)
    assert np.array_equal(samples[0]["times.npy"], HELD.times)
    assert samples[0]["json"]["name"] == "a/b.c" and samples[0]["json"]["recipe"]["fps"] == 8


def test_webdataset_names_that_would_be_one_sample(export: Export) -> None:
    with pytest.raises(StoreError, match=r"a_b and a\.b would both be the sample a_b"):
        export("webdataset", HELD, HELD, called=("a.b", "a_b"))


def test_webdataset_without_its_extra_says_what_to_install(
    export: Export, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "webdataset", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vidalign\[webdataset\]'"):
        export("webdataset", HELD)


def test_safetensors(export: Export) -> None:
    path = export("safetensors", half())
    tensors = load_file(path)
    assert np.array_equal(tensors["features"], half().features) and tensors["features"].dtype == np.float16
    assert np.array_equal(tensors["times"], HELD.times)
    with safe_open(path, "pt") as file:
        assert file.get_tensor("features").shape == (7, 6)
        assert json.loads(file.metadata()["vidalign"])["video"] == "clip.mp4"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("held", [HELD, half(), made_features(0, 6)], ids=["float32", "float16", "empty"])
def test_what_is_written_is_read_back(name: str, held: Features, export: Export) -> None:
    found = rows(name, export(name, held, called=("vid",)))
    assert list(found) == ["vid"]
    assert np.array_equal(found["vid"].values, held.features)
    times = found["vid"].times
    assert times is None or np.array_equal(times, held.times)
    assert (times is not None) == (name in ("webdataset", "safetensors"))
    assert found["vid"].video == ("vid.mp4" if name == "tan" else None)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_number_format_can_be_chosen(name: str, dtype: str, export: Export) -> None:
    assert rows(name, export(name, HELD, dtype=dtype, called=("v",)))["v"].values.dtype == dtype


def test_groups_of_activitynet(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "anet.hdf5", "w") as file:
        for vid in ("v_a", "v_b"):
            file[f"{vid}/c3d_features"] = np.ones((4, 5))
            file[f"{vid}/other"] = np.ones(3)
    found = rows("2d-tan", tmp_path / "anet.hdf5", "c3d_features")
    assert sorted(found) == ["v_a", "v_b"]
    assert found["v_a"].values.dtype == np.float32 and found["v_a"].values.shape == (4, 5)


def test_big_endian_and_doubles_become_float32(tmp_path: Path) -> None:
    for kind in (">f4", "<f8"):
        np.save(tmp_path / "v.npy", np.ones((2, 3), dtype=kind))
        assert rows("vslnet", tmp_path / "v.npy")["v"].values.dtype == np.dtype(np.float32)


def test_own_files_need_no_import(tmp_path: Path) -> None:
    write_features(tmp_path / "a.h5", HELD)
    for name in ("mad", "2d-tan"):
        with pytest.raises(StoreError, match="is a file of vidalign already"):
            rows(name, tmp_path / "a.h5")


def bad_file(folder: Path, kind: str, suffix: str) -> Path:
    path = folder / f"v{suffix}"
    with path.open("wb") as file:
        if kind == "flat":
            np.save(file, np.ones(3, np.float32))
        elif kind == "whole numbers":
            np.save(file, np.ones((3, 2), np.int64))
        elif kind == "pickled":
            np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
        elif kind == "archive":
            np.savez(file, other=np.ones((2, 2), np.float32))
        else:
            file.write(b"" if kind == "empty" else b"nonsense" * 100)
    return path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["flat", "whole numbers", "pickled", "archive", "empty", "nonsense"])
def test_other_files_are_one_clear_error(name: str, kind: str, tmp_path: Path) -> None:
    path = bad_file(tmp_path, kind, get_format(name).suffix)
    with pytest.raises(StoreError) as caught:
        rows(name, path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["moment-detr", "safetensors", "webdataset"])
def test_a_key_that_is_not_there(name: str, export: Export) -> None:
    with pytest.raises(StoreError, match=r"no .*'?nope'?.*--key"):
        rows(name, export(name, HELD), "nope")


def test_foreign_shards_need_no_times(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as shard:
        for key in ("a", "b"):
            content = io.BytesIO()
            np.save(content, np.ones((2, 3), np.float16))
            for extension in ("npy", "txt"):
                member = tarfile.TarInfo(f"x/{key}.{extension}")
                member.size = len(content.getvalue())
                shard.addfile(member, io.BytesIO(content.getvalue()))
    found = rows("webdataset", tmp_path / "s.tar")
    assert list(found) == ["x/a", "x/b"] and found["x/a"].times is None

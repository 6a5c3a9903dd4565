"""Checkpoints are read without running what they name."""

from __future__ import annotations

import argparse
import collections
import os
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from vidalign.errors import ModelError
from vidalign.weights.unpickle import load_checkpoint

Save = Callable[..., Path]
FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


class Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@FORMATS
def test_what_published_checkpoints_hold(save: Save, zipped: bool) -> None:
    content = {
        "state_dict": collections.OrderedDict(weight=torch.arange(6.0).reshape(2, 3)),
        "best_acc": np.float64(0.25),
        "iteration": np.int64(7),
        "curve": np.arange(4, dtype=np.float32),
        "names": np.array(["a", "bc"]),
        "args": argparse.Namespace(lr=0.1, dims=[1, 2], scale=np.float32(2)),
    }
    loaded = load_checkpoint(save(content, _use_new_zipfile_serialization=zipped))
    assert torch.equal(loaded["state_dict"]["weight"], content["state_dict"]["weight"])
    assert (loaded["best_acc"], loaded["iteration"]) == (0.25, 7)
    assert loaded["curve"].tolist() == [0, 1, 2, 3]
    assert loaded["names"].tolist() == ["a", "bc"]
    assert loaded["args"] == content["args"]


def test_names_of_older_numpy(save: Save) -> None:
    path = save({"best": np.float64(0.5)})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(name, data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert load_checkpoint(path) == {"best": 0.5}


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Classes of a configuration library that this machine does not have when the file is read."""
    module = types.ModuleType("fakeconf.nodes")
    for name in ("DictConfig", "AnyNode", "Metadata"):
        setattr(module, name, type(name, (), {"__module__": "fakeconf.nodes"}))
    monkeypatch.setitem(sys.modules, "fakeconf", types.ModuleType("fakeconf"))
    monkeypatch.setitem(sys.modules, "fakeconf.nodes", module)
    return module


@FORMATS
def test_nested_configuration_objects_become_inert(
    save: Save, foreign: types.ModuleType, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    node, meta, config = foreign.AnyNode(), foreign.Metadata(), foreign.DictConfig()
    node.__dict__.update(value=3, metadata=meta)
    config.__dict__.update(content={"lr": node}, metadata=meta)
    path = save({"cfg": config, "model": {"w": torch.ones(1)}}, _use_new_zipfile_serialization=zipped)
    monkeypatch.delitem(sys.modules, "fakeconf.nodes")
    with pytest.raises(ModelError, match=r"names fakeconf\.nodes\.DictConfig"):
        load_checkpoint(path)
    names = [f"fakeconf.nodes.{name}" for name in ("DictConfig", "AnyNode", "Metadata")]
    loaded = load_checkpoint(path, names)
    assert loaded["model"]["w"].tolist() == [1]
    assert type(loaded["cfg"]).__name__ == "DictConfig"
    assert loaded["cfg"].state["content"]["lr"].state["value"] == 3
    with pytest.raises(ModelError, match=r"names fakeconf\.nodes"):
        load_checkpoint(path)


@FORMATS
@pytest.mark.parametrize(
    ("function", "name"),
    [(os.system, r"posix\.system"), (eval, r"builtins\.eval"), (exec, r"builtins\.exec")],
)
def test_a_malicious_global_is_refused_and_not_run(
    save: Save, tmp_path: Path, zipped: bool, function: Callable[..., object], name: str
) -> None:
    trace = tmp_path / "trace"
    code = f"touch {trace}" if function is os.system else f"open({str(trace)!r}, 'w').close()"
    path = save({"state_dict": Calls(function, code)}, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelError, match=name):
        load_checkpoint(path)
    assert not trace.exists()
    function(code)
    assert trace.exists(), "the attack itself works, so its absence above means something"


def test_a_card_cannot_allow_the_operating_system(save: Save, tmp_path: Path) -> None:
    path = save({"x": Calls(os.system, f"touch {tmp_path / 'trace'}")})
    with pytest.raises(ModelError, match=r"posix\.system"):
        load_checkpoint(path, ["posix.system"])
    assert not (tmp_path / "trace").exists()


def test_a_stand_in_for_a_function_runs_nothing(save: Save, tmp_path: Path) -> None:
    path = save({"x": Calls(eval, f"open({str(tmp_path / 'trace')!r}, 'w')")})
    assert type(load_checkpoint(path, ["builtins.eval"])["x"]).__name__ == "eval"
    assert not (tmp_path / "trace").exists()


@FORMATS
@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.99])
def test_a_truncated_file(save: Save, zipped: bool, share: float) -> None:
    path = save({"w": torch.ones(2000)}, _use_new_zipfile_serialization=zipped)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelError, match="broken, or not a checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "content", [b"just words\n" * 30, b"\0" * 100, b"PK\x03\x04 not really", b"\x80\x02."]
)
def test_something_else(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="broken, or not a checkpoint"):
        load_checkpoint(path)


def test_something_else_that_is_named_as_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"_ffsetso")
    with pytest.raises(ModelError, match="broken, or not a checkpoint"):
        load_checkpoint(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="No such file"):
        load_checkpoint(tmp_path / "x.pth")


def test_a_torchscript_archive_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "script.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("script/constants.pkl", b"\x80\x02).")
        archive.writestr("script/data.pkl", b"\x80\x02).")
        archive.writestr("script/version", b"3\n")
        archive.writestr("script/byteorder", b"little")
    with pytest.raises(ModelError, match="TorchScript archive is a program"):
        load_checkpoint(path)


def test_members_outside_the_archive_are_never_written(save: Save, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    path = save({"w": torch.ones(2)}, name="inner/zip.pth")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("../escaped.txt", b"x")
        archive.writestr("zip/../../escaped.txt", b"x")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ModelError, match="not in a subdirectory"):
        load_checkpoint(path)
    assert sorted(tmp_path.rglob("*")) == before
    only = tmp_path / "inner" / "only.pth"
    with zipfile.ZipFile(only, "w") as archive:
        archive.writestr("../data.pkl", b"\x80\x02}.")
    with pytest.raises(ModelError):
        load_checkpoint(only)
    assert not (tmp_path / "data.pkl").exists()

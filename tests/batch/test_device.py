"""Where the model runs; no test needs a GPU."""

from __future__ import annotations

import sys

import pytest
import torch

from vidalign.batch import device
from vidalign.batch.device import Place, choose_place, choose_places
from vidalign.errors import UsageError


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs, as torch would tell of them."""
    monkeypatch.setattr(device, "_may_have_gpu", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Device files, and nothing that torch can use."""
    monkeypatch.setattr(device, "_may_have_gpu", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ("cpu", Place("cpu", "float32")),
        ("auto", Place("cuda", "bf16")),
        ("cuda", Place("cuda", "bf16")),
        ("cuda:1", Place("cuda:1", "bf16")),
    ],
)
def test_a_gpu_is_taken_where_there_is_one(asked: str, place: Place, gpus: None) -> None:
    assert choose_place(asked) == place


def test_several_gpus_are_taken_by_number(gpus: None) -> None:
    assert choose_places("cuda:1,0") == (Place("cuda:1", "bf16"), Place("cuda:0", "bf16"))
    assert choose_places("cpu") == (Place("cpu", "float32"),)


def test_where_one_runs_several_are_refused(gpus: None) -> None:
    with pytest.raises(UsageError, match="one device is needed, not 'cuda:0,1'") as caught:
        choose_place("cuda:0,1")
    assert caught.value.hint == "use --device cuda:0"


def test_a_gpu_named_twice_is_refused(gpus: None) -> None:
    with pytest.raises(UsageError, match="names a GPU twice"):
        choose_places("cuda:1,1")


def test_an_old_gpu_gets_half_precision(gpus: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert choose_place("auto") == Place("cuda", "fp16")


@pytest.mark.parametrize("asked", ["cuda:2", "cuda:0,2"])
def test_one_gpu_too_far_is_refused(asked: str, gpus: None) -> None:
    with pytest.raises(UsageError, match=f"'{asked}' is not there: torch finds 2 GPUs"):
        choose_places(asked)


def test_without_one_auto_is_the_cpu(no_gpu: None) -> None:
    assert choose_place("auto") == Place("cpu", "float32")


@pytest.mark.parametrize("asked", ["cuda", "cuda:0", "mps"])
def test_without_one_the_others_are_refused(asked: str, no_gpu: None) -> None:
    with pytest.raises(UsageError, match=f"'{asked}' is not there"):
        choose_place(asked)


@pytest.mark.parametrize("asked", ["", "gpu", "cuda:x", "cuda:-1", "cuda:0,", "cpu,cuda", "CPU", "xla"])
def test_unknown_names_are_refused_without_torch(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UsageError, match="unknown device"):
        choose_place(asked)


def test_without_device_files_torch_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_may_have_gpu", lambda: False)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert choose_place("auto") == Place("cpu", "float32")

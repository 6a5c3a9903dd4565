"""Which way a network is computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from vidalign.backbones.registry import load_backbone
from vidalign.backbones.runtimes.choose import CompiledNetwork, prepared
from vidalign.backbones.runtimes.folding import FoldedNetwork
from vidalign.backbones.runtimes.openvino import OpenVINONetwork
from vidalign.errors import ModelError

Compile = Callable[..., Callable[..., Any]]


def compiles_by(monkeypatch: pytest.MonkeyPatch, made: Callable[[nn.Module], Callable[..., Any]]) -> None:
    """Stands for torch.compile, which needs a C++ compiler."""
    monkeypatch.setattr(torch, "compile", lambda network, *, dynamic: made(network))


def test_each_has_its_network(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiles_by(monkeypatch, lambda network: network)
    loaded = load_backbone("mini").network
    assert isinstance(prepared(load_backbone("mini"), "cpu", "torch").network, FoldedNetwork)
    assert isinstance(prepared(load_backbone("mini"), "cpu", "openvino").network, OpenVINONetwork)
    assert isinstance(prepared(load_backbone("mini"), "cpu", "torch", compiled=True).network, CompiledNetwork)
    assert isinstance(prepared(load_backbone("mini"), "cuda:1", "torch").network, type(loaded))


def test_a_compiled_network_gives_what_it_gave(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By torch's own machinery, but for the generated code."""
    compiling = torch.compile
    compiles_by(monkeypatch, lambda network: compiling(network, dynamic=False, backend="eager"))
    backbone = load_backbone("mini")
    clips = torch.rand(2, 3, 4, 32, 32)
    expected = backbone.raw(clips)
    network = CompiledNetwork(backbone.network, "mini")
    with torch.inference_mode():
        torch.testing.assert_close(network(clips)[backbone.recipe.layer], expected)


def test_what_cannot_be_compiled_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(network: nn.Module) -> Callable[..., Any]:
        def call(clips: torch.Tensor) -> None:
            raise RuntimeError("no C++ compiler\nlong story")

        return call

    compiles_by(monkeypatch, failing)
    with pytest.raises(ModelError, match=r"torch cannot compile mini: no C\+\+ compiler") as caught:
        CompiledNetwork(nn.Identity(), "mini")(torch.zeros(1))
    assert caught.value.hint == "run without --compile"


@pytest.mark.parametrize(("first", "error"), [(True, torch.OutOfMemoryError), (False, RuntimeError)])
def test_what_is_no_fault_of_compiling_passes(
    first: bool, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that runs out is for the batches to know; later errors are the network's own."""

    def failing(network: nn.Module) -> Callable[..., Any]:
        def call(clips: torch.Tensor) -> dict[str, torch.Tensor]:
            if clips.sum() > 0:
                raise error("whatever")
            return {}

        return call

    compiles_by(monkeypatch, failing)
    network = CompiledNetwork(nn.Identity(), "mini")
    if not first:
        network(torch.zeros(1))
    with pytest.raises(error, match="whatever"):
        network(torch.ones(1))

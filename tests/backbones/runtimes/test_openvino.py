"""OpenVINO gives torch's features or is refused; what it needs is kept in the cache folder."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vidalign.backbones.batching import CPU_BATCH
from vidalign.backbones.registry import Backbone, load_backbone
from vidalign.backbones.runtimes import openvino as room
from vidalign.backbones.runtimes.openvino import OpenVINONetwork
from vidalign.backbones.runtimes.probe import TOLERANCE, difference
from vidalign.errors import ModelError
from vidalign.store import atomic
from vidalign.types import Recipe
from vidalign.weights.cache import cache_dir

RECIPE = Recipe("own", 8, 8, 1.0, 32, 32, "mixed_5c")
CLIPS = torch.rand(CPU_BATCH + 1, 3, 8, 32, 32, generator=torch.Generator().manual_seed(1))


class Small(nn.Module):
    """Stands for a large network, whose conversion takes seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv3d(3, 256, 3, stride=4), nn.BatchNorm3d(256)

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        return {"mixed_5c": self.norm(self.convolution(clips)).relu().mean(dim=(2, 3, 4))}


@pytest.fixture
def backbone(tiny: Path) -> Backbone:
    torch.manual_seed(0)
    backbone = load_backbone("mini", recipe=RECIPE)
    backbone.network = Small().eval()
    return backbone


def run(network: nn.Module, clips: Tensor = CLIPS) -> Tensor:
    with torch.inference_mode():
        features: Tensor = network(clips)["mixed_5c"]
    return features


def test_the_features_are_torchs_and_the_conversion_is_kept(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run(backbone.network)
    made = run(OpenVINONetwork(backbone))
    assert made.shape == expected.shape
    assert difference(made, expected) < TOLERANCE
    (kept,) = (cache_dir() / "openvino").iterdir()
    assert sorted(path.name for path in kept.iterdir()) == ["model.bin", "model.xml"]
    monkeypatch.setattr(OpenVINONetwork, "_convert", None)
    assert torch.equal(run(OpenVINONetwork(backbone)), made)
    assert torch.equal(run(OpenVINONetwork(backbone), CLIPS[:1]), made[:1])


def test_a_spoilt_conversion_is_made_again(backbone: Backbone) -> None:
    made = run(OpenVINONetwork(backbone))
    (kept,) = (cache_dir() / "openvino").iterdir()
    (kept / "model.xml").write_text("<net")
    assert torch.equal(run(OpenVINONetwork(backbone)), made)


def test_a_conversion_that_another_process_replaces_meanwhile_is_made_again(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, kept = room._keep, []

    def snatched(openvino: Any, model: Any, folder: Path) -> None:
        keep(openvino, model, folder)
        kept.append(folder)
        if len(kept) == 1:
            shutil.rmtree(folder)

    monkeypatch.setattr(room, "_keep", snatched)
    run(OpenVINONetwork(backbone))
    assert len(kept) == 2


def test_what_a_killed_process_left_is_cleared(backbone: Backbone) -> None:
    folder = cache_dir() / "openvino"
    left = folder / atomic._temporary_name("a").replace(f"-{os.getpid()}-", "-9999999999-")
    left.mkdir(parents=True)
    run(OpenVINONetwork(backbone))
    assert not left.exists()


def test_each_shape_weights_and_layer_have_their_own(backbone: Backbone, tiny: Path) -> None:
    network = OpenVINONetwork(backbone)
    keys = {network._key((4, 3, 8, 32, 32)), network._key((4, 3, 16, 32, 32))}
    backbone.sha256 = "other"
    keys.add(OpenVINONetwork(backbone)._key((4, 3, 8, 32, 32)))
    assert len(keys) == 3


def test_other_features_are_refused(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    infer = room._infer
    monkeypatch.setattr(room, "_infer", lambda *given: infer(*given) * 1.001)
    with pytest.raises(
        ModelError, match=r"mini: OpenVINO's features differ from torch's by 1\.0e-03"
    ) as caught:
        run(OpenVINONetwork(backbone))
    assert caught.value.hint == "use --runtime torch"


class Branching(nn.Module):
    """Its way depends on the values, which torch cannot export."""

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        return {"mixed_5c": clips if clips.sum() > 0 else clips + 1}


class Overhanging(nn.Module):
    """A window larger than what it pools, which torch allows and OpenVINO does not."""

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        pooled = nn.functional.max_pool3d(clips[:, :, :1], 2, ceil_mode=True)
        return {"mixed_5c": pooled.mean(dim=(2, 3, 4))}


@pytest.mark.parametrize("network", [Branching, Overhanging])
def test_what_cannot_be_converted_is_one_line(network: type[nn.Module], backbone: Backbone) -> None:

    backbone.network = network()
    with pytest.raises(ModelError, match=r"mini cannot be converted for OpenVINO: [^\n]+$"):
        run(OpenVINONetwork(backbone))
    assert not list((cache_dir() / "openvino").glob("*"))


def test_a_cache_folder_that_cannot_be_written_is_one_line(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VIDALIGN_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"cannot write .*: Not a directory"):
        run(OpenVINONetwork(backbone))


def test_it_reports_to_nobody(backbone: Backbone) -> None:
    openvino: Any = room.import_openvino()
    assert sys.modules["openvino_telemetry"] is None
    assert "stub" in sys.modules["openvino.tools.ovc.telemetry_utils"].tm.__name__
    assert openvino.Core().available_devices[0] == "CPU"

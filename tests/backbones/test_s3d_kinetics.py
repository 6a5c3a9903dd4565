from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fill_rule import fill_module, filled_b, noise, read_keys
from vidalign.backbones.s3d_kinetics import S3DKinetics
from vidalign.errors import DataError


@pytest.fixture(scope="module")
def network() -> S3DKinetics:
    model = S3DKinetics()
    fill_module(model, filled_b)
    return model.eval()


@pytest.mark.parity
def test_state_dict_is_the_published_one_in_its_order(network: S3DKinetics, golden: Path) -> None:
    keys = golden / "s3d_kylemin.keys.txt"
    mine = [(key, tuple(t.shape)) for key, t in network.state_dict().items()]
    assert mine == list(read_keys(keys).items())
    count = int(keys.read_text().splitlines()[-1].removeprefix("# parameters "))
    assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.parity
@pytest.mark.parametrize("frames", [16, 32, 64])
def test_outputs_equal_the_reference(network: S3DKinetics, golden: Path, frames: int) -> None:
    expected = np.load(golden / f"s3d_kylemin_T{frames}.npz")
    seen: list[torch.Tensor] = []
    hook = network.fc.register_forward_pre_hook(lambda _, inputs: seen.extend(inputs))
    with torch.inference_mode(), hook:
        found = network(noise((1, 3, frames, 224, 224)))
    assert _off(seen[0], expected["features"]) <= 1e-4
    assert _off(found["features"], expected["features"].mean(axis=(2, 3, 4))) <= 1e-4
    assert _off(found["logits"], expected["logits"]) <= 1e-4


def _off(found: torch.Tensor, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest value."""
    assert found.shape == expected.shape
    return float(np.abs(found.numpy() - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("shape", [(1, 3, 12, 32, 32), (1, 3, 16, 16, 32)])
def test_a_clip_that_is_too_small_is_refused(network: S3DKinetics, shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="at least"):
        network(torch.zeros(shape))


def test_the_smallest_clip_has_features(network: S3DKinetics) -> None:
    assert network(torch.zeros(1, 3, 13, 17, 17))["features"].shape == (1, 1024)

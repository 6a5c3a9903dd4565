from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fill_rule import fill_module, filled_b, noise, read_keys
from vidalign.backbones.i3d import I3D, pad_same, scale_flow
from vidalign.errors import DataError

STREAMS = {"rgb": 3, "flow": 2}
FRAMES = (16, 20, 21, 64)


@pytest.fixture(scope="module", params=STREAMS)
def stream(request: pytest.FixtureRequest) -> Iterator[tuple[str, I3D]]:
    network = I3D(channels=STREAMS[request.param])
    fill_module(network, filled_b)
    yield request.param, network.eval()


@pytest.mark.parity
def test_state_dict_is_the_published_one_in_its_order(stream: tuple[str, I3D], golden: Path) -> None:
    name, network = stream
    keys = golden / f"i3d_piergiaj_{name}.keys.txt"
    mine = [(key, tuple(t.shape)) for key, t in network.state_dict().items()]
    assert mine == list(read_keys(keys).items())
    count = int(keys.read_text().splitlines()[-1].removeprefix("# parameters "))
    assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.parity
@pytest.mark.parametrize("frames", FRAMES)
def test_outputs_equal_the_reference(stream: tuple[str, I3D], golden: Path, frames: int) -> None:
    name, network = stream
    expected = np.load(golden / f"i3d_piergiaj_{name}_T{frames}.npz")
    seen: list[torch.Tensor] = []
    hook = network.logits.register_forward_hook(lambda _, inputs, output: seen.extend((*inputs, output)))
    with torch.inference_mode(), hook:
        found = network(noise((1, STREAMS[name], frames, 224, 224)))
    pooled, logits = seen
    assert _off(pooled, expected["features"]) <= 1e-4
    assert _off(logits.squeeze((3, 4)), expected["logits"]) <= 1e-4
    assert _off(found["features"], expected["features"].mean(axis=(2, 3, 4))) <= 1e-4
    assert _off(found["logits"], expected["logits"].mean(axis=2)) <= 1e-4


def _off(found: torch.Tensor, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest value."""
    assert found.shape == expected.shape
    return float(np.abs(found.detach().numpy() - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "before", "after"),
    [
        (224, 7, 2, 2, 3),
        (21, 7, 2, 3, 3),
        (64, 3, 2, 0, 1),
        (11, 3, 2, 1, 1),
        (5, 2, 2, 0, 1),
        (4, 2, 2, 0, 0),
    ],
)
def test_same_padding_follows_the_size_of_the_input(
    size: int, kernel: int, stride: int, before: int, after: int
) -> None:
    x = torch.ones(1, 1, size, 1, 1)
    padded = pad_same(x, (kernel, 1, 1), (stride, 1, 1)).flatten()
    assert padded.shape == (before + size + after,)
    assert padded.tolist() == [0.0] * before + [1.0] * size + [0.0] * after


@pytest.mark.parametrize("shape", [(1, 3, 8, 224, 224), (1, 3, 9, 192, 224)])
def test_a_clip_without_one_window_is_refused(shape: tuple[int, ...]) -> None:
    with torch.device("meta"), pytest.raises(DataError, match="at least 9 frames of 193x193"):
        I3D(classes=2)(torch.empty(shape))


def test_the_smallest_clip_has_one_place() -> None:
    with torch.device("meta"):
        assert I3D(classes=2).pooled_map(torch.empty(1, 3, 9, 193, 193)).shape == (1, 1024, 1, 1, 1)


def test_flow_is_clipped_and_scaled() -> None:
    assert scale_flow(torch.tensor([-50.0, -20.0, 5.0, 30.0])).tolist() == [-1.0, -1.0, 0.25, 1.0]

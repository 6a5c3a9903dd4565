from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fill_rule import fill_module, ramp, read_keys
from vidalign.backbones.s3d import S3D

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def s3d() -> S3D:
    model = S3D()
    fill_module(model)
    return model.eval()


def test_state_dict_names_and_shapes_are_the_published_ones(s3d: S3D, golden: Path) -> None:
    mine = {name: tuple(t.shape) for name, t in s3d.state_dict().items()}
    assert mine == read_keys(golden / "s3d_keys.tsv")


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_outputs_equal_the_reference(s3d: S3D, golden: Path, layout: torch.memory_format) -> None:
    expected = np.load(golden / "s3d.npz")
    clips = ramp((1, 3, 16, 64, 64), lambda n: (np.sin(n) + 1) / 2).contiguous(memory_format=layout)
    with torch.inference_mode():
        found = s3d(clips)
        text = s3d.text_module(torch.from_numpy(expected["text_ids"]))
    for name in ("mixed_5c", "video_embedding"):
        assert np.abs(found[name].numpy() - expected[name]).max() <= 1e-4
    assert np.abs(text.numpy() - expected["text_embedding"]).max() <= 1e-4


def test_a_narrow_network_keeps_the_names() -> None:
    narrow = S3D(width=0.25, embedding=128, vocabulary=100, word_dim=32, text_hidden=64)
    assert set(narrow.state_dict()) == set(S3D(vocabulary=10).state_dict())
    assert narrow.eval()(torch.rand(2, 3, 8, 64, 64))["mixed_5c"].shape == (2, 256)

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fill_rule import fill_module, ramp, read_keys
from vidalign.aligners.scorers.tan import TAN, sine_positions

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def tan() -> TAN:
    model = TAN()
    fill_module(model)
    return model.eval()


@pytest.fixture(scope="module")
def expected(golden: Path) -> dict[str, np.ndarray]:
    return dict(np.load(golden / "tan_e6d6.npz"))


def close(found: torch.Tensor, wanted: np.ndarray) -> None:
    assert found.shape == wanted.shape
    assert np.abs(found.detach().numpy() - wanted).max() <= 1e-4


@pytest.mark.parametrize(
    ("layers", "head", "keys"), [(6, True, "tan_e6d6_keys.tsv"), (2, False, "tan_e2d2_keys.tsv")]
)
def test_names_and_shapes_are_the_published_ones(golden: Path, layers: int, head: bool, keys: str) -> None:
    with torch.device("meta"):
        model = TAN(video_layers=layers, joint_layers=layers, head=head)
    assert {name: tuple(t.shape) for name, t in model.state_dict().items()} == read_keys(golden / keys)


def test_text_module(tan: TAN, expected: dict[str, np.ndarray]) -> None:
    ids = torch.from_numpy(expected["tokens"]).flatten(0, 1)
    close(tan.embed_text(ids), expected["pooled_masked"])
    close(tan.bert(ids), expected["pooled_nomask"])


def test_forward(tan: TAN, expected: dict[str, np.ndarray]) -> None:
    video = ramp((2, 64, 1024), np.sin)
    text = torch.from_numpy(expected["pooled_masked"]).view(2, 5, 512)
    masks = (torch.from_numpy(expected["video_pad_mask"]), torch.from_numpy(expected["text_pad_mask"]))
    with torch.inference_mode():
        outputs = tan(video, text, *masks)
    names = [name.removeprefix("fwd_") for name in expected if name.startswith("fwd_")]
    assert set(names) == set(outputs)
    for name in names:
        close(outputs[name], expected[f"fwd_{name}"])


def pairs(outputs: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    """The cosines inside each sample: (B, L, T, N)."""
    return torch.stack([outputs[name][b, :, :, b] for b in range(outputs[name].shape[0])])


def test_without_padding(tan: TAN, expected: dict[str, np.ndarray]) -> None:
    text = torch.from_numpy(expected["pooled_masked"]).view(2, 5, 512)
    with torch.inference_mode():
        outputs = tan(ramp((2, 64, 1024), np.sin), text)
    close(pairs(outputs, "logits_joint"), expected["joint"])
    close(pairs(outputs, "logits_dual"), expected["dual"])
    close(outputs["dual_logits_alignability"], expected["align_dual"])
    close(outputs["joint_logits_alignability"], expected["align_joint"])


def test_interpolated_positions(tan: TAN, expected: dict[str, np.ndarray]) -> None:
    text = torch.from_numpy(expected["pooled_masked"]).view(2, 5, 512)[:1]
    with torch.inference_mode():
        outputs = tan(ramp((1, 150, 1024), np.sin), text, interpolate_from=64)
    close(pairs(outputs, "logits_joint"), expected["joint_interp150"])
    close(pairs(outputs, "logits_dual"), expected["dual_interp150"])


def test_text_positions(tan: TAN, expected: dict[str, np.ndarray]) -> None:
    text = torch.from_numpy(expected["pooled_masked"]).view(2, 5, 512)
    positioned = TAN(text_positions=True).eval()
    positioned.load_state_dict(tan.state_dict())
    with torch.inference_mode():
        outputs = positioned(ramp((2, 64, 1024), np.sin), text)
    close(pairs(outputs, "logits_joint"), expected["joint_textpos"])


def test_sine_positions_follow_their_formula() -> None:
    table = sine_positions(1024, 512)
    angle = 100 / (1023 + 1e-6) * 2 * np.pi
    assert table[100, 6].item() == pytest.approx(np.sin(angle / 10000 ** (6 / 512)), abs=1e-6)
    assert table[100, 7].item() == pytest.approx(np.cos(angle / 10000 ** (6 / 512)), abs=1e-6)
    model = TAN(positions="sine", vocabulary=10, video_layers=1, joint_layers=1, head=False)
    assert model.state_dict()["temporal_pos_embed"].shape == (1024, 512)


def test_too_many_seconds_without_interpolation_are_refused() -> None:
    model = TAN(
        width=32, heads=2, vocabulary=10, video_dim=8, text_dim=8, video_layers=1, joint_layers=1, head=False
    )
    with pytest.raises(ValueError, match="1025 positions"):
        model(torch.zeros(1, 1025, 8), torch.zeros(1, 1, 8))

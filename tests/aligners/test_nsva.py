"""The NSVA network against its reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fill_rule import filled, ramp, read_keys
from vidalign.aligners.scorers.nsva import NSVA

SMALL = {"width": 16, "heads": 2, "hidden": 24, "video_dim": 12, "text_dim": 10, "seconds": 40}


def published(*, ordered: bool) -> NSVA:
    model = NSVA(ordered=ordered)
    state = {name: filled(name, tuple(t.shape)) for name, t in model.state_dict().items()}
    state["visual_pos_enc.pe"] = model.visual_pos_enc.pe
    model.load_state_dict(state, strict=True)
    return model.eval()


def padding() -> tuple[torch.Tensor, torch.Tensor]:
    """True at padding: of the second sample, seconds from 45 and sentences from 5 on."""
    video, text = torch.zeros(2, 60, dtype=torch.bool), torch.zeros(2, 7, dtype=torch.bool)
    video[1, 45:], text[1, 5:] = True, True
    return video, text


def test_names_and_shapes_are_the_published_ones(golden: Path) -> None:
    with torch.device("meta"):
        model = NSVA()
    found = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert found == read_keys(golden / "nsva_keys.tsv")
    assert sum(p.numel() for p in model.parameters()) == 9_421_827


@pytest.mark.parametrize("setting", ["narration", "steps"])
def test_similarities_are_the_reference_s(golden: Path, setting: str) -> None:
    wanted = np.load(golden / "nsva.npz")
    model = published(ordered=setting == "narration")
    with torch.inference_mode():
        cosines = model(ramp((2, 60, 768), np.sin), ramp((2, 7, 768), np.cos, 0.021), *padding())
    found = cosines.reshape(3, 14, 120).numpy()
    assert np.abs(found - 0.07 * wanted[f"similarity_{setting}"]).max() <= 1e-5
    own = torch.stack([cosines[-1, b, :, b].masked_fill(padding()[0][b], -9) for b in range(2)])
    kept = ~padding()[1].numpy()
    assert (own.argmax(-1).numpy() == wanted[f"argmax_{setting}"])[kept].all()


def small(**change: object) -> NSVA:
    torch.manual_seed(0)
    return NSVA(**{**SMALL, **change}).eval()  # type: ignore[arg-type]


def test_padding_says_nothing() -> None:
    model, video, text = small(), torch.randn(2, 9, 12), torch.randn(2, 4, 10)
    masks = torch.zeros(2, 9, dtype=torch.bool), torch.zeros(2, 4, dtype=torch.bool)
    masks[0][1, 6:], masks[1][1, 3:] = True, True
    with torch.inference_mode():
        padded = model(video, text, *masks, across=False)[:, 1, :3, :6]
        alone = model(video[1:, :6], text[1:, :3], across=False)[:, 0]
    torch.testing.assert_close(padded, alone)


def test_a_narration_has_an_order_and_steps_have_none() -> None:
    video, text, turned = torch.randn(1, 9, 12), torch.randn(1, 4, 10), torch.tensor([2, 0, 3, 1])
    with torch.inference_mode():
        for ordered in (True, False):
            model = small(ordered=ordered)
            first, second = model(video, text, across=False), model(video, text[:, turned], across=False)
            assert torch.allclose(first[:, :, turned], second, atol=1e-5) is not ordered


def test_a_video_longer_than_its_places_is_refused() -> None:
    with pytest.raises(ValueError, match="41 clips asked, the table of positions has 40"):
        small()(torch.zeros(1, 41, 12), torch.zeros(1, 1, 10))


@pytest.mark.parametrize("change", [{"video_layers": 0}, {"heads": 3}])
def test_what_makes_no_network_is_told(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="NSVA needs"):
        small(**change)

"""I3D and the S3D of Kinetics by their cards: given clips, given flow, other names, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import vidalign
from tests.fill_rule import fill_shapes, filled_b, noise
from tests.tiny import Run, cli, draw_video  # noqa: F401
from vidalign.backbones.i3d import scale_flow
from vidalign.backbones.i3d_names import hassony2_names
from vidalign.backbones.registry import state_shapes
from vidalign.backbones.spec import backbone_spec
from vidalign.errors import DataError
from vidalign.weights.cards import get_card

CARDS = {
    "i3d-rgb": ("i3d-rgb@kinetics", 3, 400),
    "i3d-rgb@charades": ("i3d-rgb@charades", 3, 157),
    "i3d-rgb@hassony2": ("i3d-rgb@hassony2", 3, 400),
    "i3d-flow": ("i3d-flow@kinetics", 2, 400),
    "i3d-flow@hassony2": ("i3d-flow@hassony2", 2, 400),
    "i3d-flow@charades": ("i3d-flow@charades", 2, 157),
    "s3d-kinetics": ("s3d-kinetics", 3, 400),
}


@pytest.mark.parametrize("name", CARDS)
def test_cards_make_the_networks_they_name(name: str) -> None:
    full, channels, classes = CARDS[name]
    card = get_card(name)
    shapes = state_shapes(backbone_spec(card))
    assert card.name == full
    assert card.format_only == name.endswith("hassony2")
    assert {shape[1] for shape in shapes.values() if shape[2:] in ((7, 7, 7), (1, 7, 7))} == {channels}
    assert backbone_spec(card).layers == {"features": 1024, "logits": classes}
    assert all(recipe.range == "-1-1" for recipe in backbone_spec(card).recipes)


@pytest.fixture(scope="module")
def flow_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The flow stream's weights under hassony2's names, without the counters that old files lack."""
    ours = fill_shapes(state_shapes(backbone_spec(get_card("i3d-flow"))), filled_b)
    theirs = {name: ours[mine] for name, mine in hassony2_names().items() if "num_batches" not in name}
    path = tmp_path_factory.mktemp("flow") / "model_flow.pth"
    torch.save(theirs, path)
    return path


def test_given_flow_gives_features(flow_weights: Path) -> None:
    backbone = vidalign.load_backbone("i3d-flow", weights=flow_weights)
    flow = noise((1, 2, 9, 193, 193)) * 30
    with torch.inference_mode():
        found = backbone(scale_flow(flow))
        assert found.shape == (1, 1024)
        assert torch.allclose(found, backbone.network(scale_flow(flow))["features"])
        with pytest.raises(DataError, match=r"takes \(clips, 2, frames, height, width\)"):
            backbone(noise((1, 3, 9, 193, 193)))


def test_extract_with_the_flow_stream_says_what_it_needs(
    cli: Run,  # noqa: F811
    flow_weights: Path,
    tmp_path: Path,
) -> None:
    video = draw_video(tmp_path / "video.mp4", 1.0)
    code, out, err = cli(
        "extract",
        str(video),
        "-o",
        str(tmp_path / "out"),
        "--backbone",
        "i3d-flow",
        "--weights",
        str(flow_weights),
    )
    assert (code, out) == (2, "")
    assert "optical flow, which is not computed here" in err
    assert "load_backbone" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_file_of_hassony2_s_is_added_under_our_names(
    cli: Run,  # noqa: F811
    flow_weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VIDALIGN_CACHE", str(tmp_path / "cache"))
    code, _, err = cli("models", "add", "i3d-flow@hassony2", str(flow_weights))
    assert code == 0, err
    added = vidalign.load_backbone("i3d-flow@hassony2").network.state_dict()
    given = torch.load(flow_weights, weights_only=True)
    assert all(torch.equal(added[hassony2_names()[name]], tensor) for name, tensor in given.items())

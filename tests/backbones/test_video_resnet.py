"""Residual networks over clips: the names, shapes and counts that torchvision and IG-65M publish."""

from __future__ import annotations

import pytest
import torch

from vidalign.backbones.registry import state_shapes
from vidalign.backbones.spec import backbone_spec
from vidalign.backbones.video_resnet import VideoResNet
from vidalign.weights.cards import get_card, list_cards

Shapes = dict[str, tuple[int, ...]]

PARAMETERS = {
    "r2plus1d-18": (224, 31_505_325),
    "r3d-18": (122, 33_371_472),
    "r2plus1d-34-ig65m@clip32-kinetics": (416, 63_697_175),
    "r2plus1d-34-ig65m@clip8-kinetics": (416, 63_697_175),
    "r2plus1d-34-ig65m@clip32": (416, 63_697_175 - 41 * 513),
    "r2plus1d-34-ig65m@clip8": (416, 63_697_175 + 87 * 513),
}
"""Entries of the state dict, and weights in it without the statistics of batch normalisation."""


def shapes_of(name: str) -> Shapes:
    return state_shapes(backbone_spec(get_card(name)))


@pytest.mark.parametrize(("name", "counts"), PARAMETERS.items(), ids=PARAMETERS)
def test_as_many_weights_as_published(name: str, counts: tuple[int, int]) -> None:
    shapes = shapes_of(name)
    weights = [torch.Size(s).numel() for n, s in shapes.items() if n.endswith(("weight", "bias"))]
    assert (len(shapes), sum(weights)) == counts


def test_every_card_of_the_family_is_counted() -> None:
    cards = [c.name for c in list_cards() if c.backbone and c.backbone.family == "video-resnet"]
    assert sorted(cards) == sorted(PARAMETERS)
    assert all(get_card(name).format_only for name in cards)


def test_the_names_are_those_of_tsp_but_for_the_heads() -> None:
    """TSP holds torchvision's network below `features.`, and has golden values."""
    for ours, theirs in {
        "r2plus1d-18": "tsp-r2plus1d-18",
        "r3d-18": "tsp-r3d-18",
        "r2plus1d-34-ig65m": "tsp-r2plus1d-34",
    }.items():
        mine = {n: s for n, s in shapes_of(ours).items() if not n.startswith("fc.")}
        prefix = "features."
        assert mine == {
            n.removeprefix(prefix): s for n, s in shapes_of(theirs).items() if n.startswith(prefix)
        }


def test_the_middle_planes_are_the_families_difference() -> None:
    once, each = shapes_of("r2plus1d-18"), shapes_of("r2plus1d-34-ig65m")
    for stage, (first, second) in {2: (230, 288), 3: (460, 576), 4: (921, 1152)}.items():
        planes = [shapes[f"layer{stage}.0.conv{c}.0.0.weight"][0] for shapes in (once, each) for c in (1, 2)]
        assert planes == [first, first, first, second]


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize(("frames", "side"), [(1, 8), (5, 33), (8, 112)])
def test_clips_of_any_length_and_size(separable: bool, frames: int, side: int) -> None:
    network = VideoResNet(18, separable=separable, width=0.0625, classes=7).eval()
    found = network(torch.rand(2, 3, frames, side, side))
    assert {layer: tuple(vectors.shape) for layer, vectors in found.items()} == {
        "features": (2, 32),
        "logits": (2, 7),
    }
    assert network.layers == {"features": 32, "logits": 7}


def test_batch_normalisation_by_its_switches() -> None:
    network = VideoResNet(18, width=0.0625, eps=0.5, momentum=0.25)
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm3d)]
    assert len(norms) == 37
    assert {(m.eps, m.momentum) for m in norms} == {(0.5, 0.25)}

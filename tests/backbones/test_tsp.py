"""TSP against the reference's outputs, and its published checkpoints by their heads."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fill_rule import fill_shapes, filled_b, noise, read_keys
from vidalign.backbones.registry import load_backbone, load_network, state_shapes
from vidalign.backbones.spec import backbone_spec
from vidalign.backbones.tsp import TSP
from vidalign.errors import ModelError
from vidalign.weights.cards import get_card, list_cards

NETWORKS = {
    "tsp_r2plus1d_34": "tsp-r2plus1d-34",
    "tsp_r2plus1d_18": "tsp-r2plus1d-18",
    "tsp_r3d_18": "tsp-r3d-18",
}
CHECKPOINTS = [card for card in list_cards() if card.name.startswith("tsp-")]
SMALL = {"depth": 18, "width": 0.0625, "actions": 5}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Iterator[tuple[str, TSP]]:
    """The name of the golden values and the first card's network, filled by its names."""
    spec = backbone_spec(get_card(NETWORKS[request.param]))
    built = load_network(spec, fill_shapes(state_shapes(spec), filled_b))
    assert isinstance(built, TSP)
    yield request.param, built


@pytest.mark.parity
def test_state_dict_is_the_published_one_in_its_order(network: tuple[str, TSP], golden: Path) -> None:
    name, built = network
    keys = golden / f"{name}.keys.txt"
    mine = [(key, tuple(tensor.shape)) for key, tensor in built.state_dict().items()]
    assert mine == list(read_keys(keys).items())
    count = int(keys.read_text().splitlines()[-1].removeprefix("# parameters "))
    assert sum(p.numel() for p in built.parameters()) == count


@pytest.mark.parity
def test_outputs_equal_the_reference(network: tuple[str, TSP], golden: Path) -> None:
    name, built = network
    expected = np.load(golden / f"{name}.npz")
    with torch.inference_mode():
        found = built(noise((1, 3, 16, 112, 112)), noise((1, 512), seed=7))
    for layer, key in {"features": "features", "action": "fc1", "region": "fc2"}.items():
        assert found[layer].shape == expected[key].shape
        difference = np.abs(found[layer].numpy() - expected[key]).max()
        assert difference <= 1e-4 * np.abs(expected[key]).max()


def small(**changes: object) -> TSP:
    torch.manual_seed(0)
    return TSP(**{**SMALL, **changes}).eval()


@pytest.mark.parametrize(
    ("config", "layers", "names"),
    [
        ({"gvf": 32}, {"features": 32, "action": 5}, {"fc1": (5, 32), "fc2": (2, 64)}),
        ({"gvf": 0}, {"features": 32, "action": 5, "region": 2}, {"fc1": (5, 32), "fc2": (2, 32)}),
        ({"gvf": 0, "regions": 0}, {"features": 32, "action": 5}, {"fc": (5, 32)}),
        ({"gvf": 0, "regions": 0, "actions": 0}, {"features": 32}, {}),
    ],
    ids=["beside the global feature", "without it", "actions alone", "no head"],
)
def test_heads(config: dict[str, int], layers: dict[str, int], names: dict[str, tuple[int, ...]]) -> None:
    built = small(**config)
    found = built(torch.zeros(2, 3, 4, 16, 16))
    assert built.layers == layers == {layer: vectors.shape[1] for layer, vectors in found.items()}
    heads = {n: tuple(t.shape) for n, t in built.state_dict().items() if not n.startswith("features.")}
    assert heads == {
        f"{n}.{kind}": s for n, (o, i) in names.items() for kind, s in (("weight", (o, i)), ("bias", (o,)))
    }


def test_the_region_head_reads_the_global_feature() -> None:
    built = small(gvf=32)
    clips, gvf = torch.zeros(2, 3, 4, 16, 16), torch.ones(2, 32)
    one, two = built(clips, gvf), built(clips, 2 * gvf)
    assert one["region"].shape == (2, 2)
    assert not torch.equal(one["region"], two["region"])
    assert torch.equal(one["action"], two["action"])


@pytest.mark.parametrize(
    "config", [{"gvf": 4, "regions": 0}, {"actions": -1}, {"depth": 50}, {"midplanes": "x"}]
)
def test_configs_that_make_no_network(config: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"gvf|negative|depth 50|midplanes 'x'"):
        small(**config)


def test_thirteen_checkpoints_are_released() -> None:
    assert len(CHECKPOINTS) == 13
    for card in CHECKPOINTS:
        (entry,) = card.files
        assert entry.name.endswith(f"-{entry.sha256_prefix}.pth")
        assert entry.sources == (
            f"https://github.com/HumamAlwassel/TSP/releases/download/model_weights/{entry.name}",
        )
        network, _, rest = entry.name.partition("-")
        assert card.name.startswith(f"tsp-{network.replace('_', '-')}@")
        assert rest.startswith(card.name.partition("@")[2].removesuffix("-avg_gvf").removesuffix("-no_gvf"))


@pytest.mark.parametrize("card", CHECKPOINTS, ids=lambda card: card.name)
def test_each_has_the_heads_that_its_name_says(card) -> None:
    shapes = state_shapes(backbone_spec(card))
    heads = {name: shape for name, shape in shapes.items() if not name.startswith("features.")}
    actions = {"activitynet": 200, "thumos14": 20, "kinetics": 400}[
        card.name.partition("_on_")[2].partition("-")[0]
    ]
    if "@tac_" in card.name:
        assert heads == {"fc.weight": (actions, 512), "fc.bias": (actions,)}
    else:
        inputs = 512 if card.name.endswith("-no_gvf") else 1024
        assert heads == {
            "fc1.weight": (actions, 512),
            "fc1.bias": (actions,),
            "fc2.weight": (2, inputs),
            "fc2.bias": (2,),
        }
    assert backbone_spec(card).layers["action"] == actions


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as TSP publishes them, of the smallest of its networks, trained on actions alone."""
    shapes = state_shapes(backbone_spec(get_card("tsp-r3d-18@tac_on_kinetics")))
    path = tmp_path_factory.mktemp("tsp") / "epoch_5.pth"
    content = {
        "model": {name: torch.zeros(shape) for name, shape in shapes.items()} | {"fc.bias": torch.ones(400)},
        "optimizer": {"state": {0: {"momentum_buffer": torch.ones(3)}}, "param_groups": [{"lr": 0.01}]},
        "lr_scheduler": {"milestones": [4, 6], "_last_lr": [0.0001]},
        "epoch": 5,
        "args": argparse.Namespace(backbone="r3d_18", lr=0.01, output_dir=None),
    }
    torch.save(content, path)
    return path


def test_a_published_file_is_read(published: Path) -> None:
    backbone = load_backbone("tsp-r3d-18@tac_on_kinetics", published)
    assert backbone.network.layers == {"features": 512, "action": 400}
    assert torch.equal(backbone.network.fc.bias, torch.ones(400))


def test_a_file_of_other_heads_is_named(published: Path) -> None:
    with pytest.raises(ModelError) as refused:
        load_backbone("tsp-r3d-18", published)
    assert "4 missing (fc1.weight, fc1.bias, fc2.weight and 1 more)" in refused.value.message
    assert "2 unexpected (fc.weight, fc.bias)" in refused.value.message
    assert refused.value.hint == "it fits tsp-r3d-18@tac_on_kinetics"

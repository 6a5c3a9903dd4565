"""I3D's weights under other names: format only, no published file was at hand."""

from __future__ import annotations

import pytest
import torch

from tests.fill_rule import fill_shapes, filled_b
from vidalign.backbones.i3d import I3D
from vidalign.backbones.i3d_names import hassony2_names, tensorflow_names, to_ours

COUNTER = "num_batches_tracked"


@pytest.fixture(scope="module")
def ours() -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        shapes = {name: tuple(t.shape) for name, t in I3D(classes=5).state_dict().items()}
    return fill_shapes(shapes, filled_b)


def same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> bool:
    return found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in found)


def in_tensorflow(ours: dict[str, torch.Tensor], scope: str) -> dict[str, torch.Tensor]:
    """The variables of a checkpoint of DeepMind's, with a momentum of each."""
    variables = {}
    for theirs, mine in tensorflow_names().items():
        value = ours[mine]
        if mine.endswith("conv3d.weight"):
            value = value.permute(2, 3, 4, 1, 0)
        elif ".bn." in mine:
            value = value.view(1, 1, 1, 1, -1)
        variables[f"{scope}{theirs}"] = value
        variables[f"{scope}{theirs}/Momentum"] = value + 1
    return variables


def test_our_own_names_stay(ours: dict[str, torch.Tensor]) -> None:
    assert same(to_ours(ours), ours)


def test_a_file_older_than_the_counters_gets_them(ours: dict[str, torch.Tensor]) -> None:
    old = {name: tensor for name, tensor in ours.items() if not name.endswith(COUNTER)}
    assert len(old) == len(ours) - 57
    assert same(to_ours(old), ours)


def test_hassony2_names_there_and_back(ours: dict[str, torch.Tensor]) -> None:
    table = hassony2_names()
    assert set(table.values()) == set(ours)
    assert len(table) == 344
    theirs = {name: ours[mine] for name, mine in table.items()}
    assert same(to_ours(theirs), ours)


def test_hassony2_names_are_as_their_readme_s_network_has_them() -> None:
    known = (
        "conv3d_1a_7x7.conv3d.weight",
        "conv3d_2c_3x3.batch3d.running_var",
        "mixed_3b.branch_0.batch3d.weight",
        "mixed_4e.branch_1.1.conv3d.weight",
        "mixed_5c.branch_3.1.batch3d.bias",
        "conv3d_0c_1x1.conv3d.bias",
    )
    assert set(known) <= set(hassony2_names())


@pytest.mark.parametrize("scope", ["RGB/inception_i3d/", "Flow/inception_i3d/", "inception_i3d/"])
def test_tensorflow_names_there_and_back(ours: dict[str, torch.Tensor], scope: str) -> None:
    variables = in_tensorflow(ours, scope)
    scale = {name for name in ours if name.endswith("bn.weight")}
    found = to_ours(variables)
    assert all(found[name].eq(1).all() for name in scale)
    expected = {name: torch.ones_like(t) if name in scale else t for name, t in ours.items()}
    assert same(found, expected)


def test_tensorflow_names_are_as_published() -> None:
    table = tensorflow_names()
    assert table["Mixed_5b/Branch_2/Conv3d_0a_3x3/conv_3d/w"] == "Mixed_5b.b2b.conv3d.weight"
    assert table["Mixed_5c/Branch_2/Conv3d_0b_3x3/conv_3d/w"] == "Mixed_5c.b2b.conv3d.weight"
    assert table["Conv3d_1a_7x7/batch_norm/moving_variance"] == "Conv3d_1a_7x7.bn.running_var"
    assert len(table) == 57 * 4 + 2


def test_unknown_names_stay_for_the_strict_check_to_name(ours: dict[str, torch.Tensor]) -> None:
    strange = torch.zeros(1)
    assert to_ours({**ours, "extra.weight": strange})["extra.weight"] is strange
    variables = {**in_tensorflow(ours, "RGB/inception_i3d/"), "global_step": strange}
    assert to_ours(variables)["global_step"] is strange

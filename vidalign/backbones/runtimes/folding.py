"""Batch norms folded into the convolutions before them, for any network, exact to rounding.

Which norm follows which convolution is seen in a pass, not read from names; what was folded is compared with
the network as it was, and given back only where the features are equal.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections import Counter
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vidalign.backbones.runtimes.probe import TOLERANCE, difference, noise_clips
from vidalign.types import Recipe

log = logging.getLogger(__name__)

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class Couple(NamedTuple):
    """A convolution and the norm of its outputs, by their names in the network."""

    convolution: str
    norm: str


class FoldedNetwork(nn.Module):
    """A network whose batch norms are folded when the first clips come; their shape is that of the trial."""

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        self._recipe = recipe
        self._folded = False
        self._lock = threading.Lock()

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Clips (B, C, N, H, W) -> the network's layers (B, D)."""
        with self._lock:
            if not self._folded:
                trial = noise_clips((1, *clips.shape[1:]), self._recipe)
                self.network = fold_batch_norms(self.network, trial, self._recipe.layer)
                self._folded = True
        layers: dict[str, Tensor] = self.network(clips)
        return layers


def fold_batch_norms(network: nn.Module, trial: Tensor, layer: str) -> nn.Module:
    """A copy without those batch norms that a convolution can do as well; the network itself where none can,
    or where the layer's features of the `trial` clips would change by more than the tolerance."""
    if not any(isinstance(module, _BatchNorm) for module in network.modules()):
        return network
    couples, expected = _watch(network, trial, layer)
    folded = copy.deepcopy(network)
    for couple in couples:
        convolution, norm = folded.get_submodule(couple.convolution), folded.get_submodule(couple.norm)
        assert isinstance(convolution, CONVOLUTIONS) and isinstance(norm, _BatchNorm)
        folded.set_submodule(couple.convolution, fuse_conv_bn_eval(convolution, norm))
        folded.set_submodule(couple.norm, nn.Identity())
    with torch.inference_mode():
        apart = difference(folded(trial)[layer], expected)
    if not apart <= TOLERANCE:
        log.info("batch norms stay as they are: folded, the features would differ by %.1e", apart)
        return network
    log.debug("%d batch norms folded; the features differ by %.1e", len(couples), apart)
    return folded


def _watch(network: nn.Module, trial: Tensor, layer: str) -> tuple[list[Couple], Tensor]:
    """The couples that work on the same memory, one right after the other and once; the layer's features."""
    names = {module: name for name, module in network.named_modules()}
    used: Counter[str] = Counter()
    found: list[Couple] = []
    latest: list[tuple[str, Tensor]] = []

    def convolved(module: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        used[names[module]] += 1
        latest[:] = [(names[module], made)]

    def normed(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        used[names[module]] += 1
        if latest and given[0].untyped_storage().data_ptr() == latest[0][1].untyped_storage().data_ptr():
            found.append(Couple(latest[0][0], names[module]))
        latest.clear()

    handles = [m.register_forward_hook(convolved) for m in network.modules() if isinstance(m, CONVOLUTIONS)]
    handles += [m.register_forward_pre_hook(normed) for m in network.modules() if _is_plain(m)]
    try:
        with torch.inference_mode():
            features: Tensor = network(trial)[layer]
    finally:
        for handle in handles:
            handle.remove()
    return [couple for couple in found if all(used[name] == 1 for name in couple)], features


def _is_plain(module: nn.Module) -> bool:
    """Whether it is a batch norm with statistics of its own, which do not change."""
    return isinstance(module, _BatchNorm) and not module.training and module.running_mean is not None

"""A loaded backbone becomes one that runs as it was asked to."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from vidalign.backbones.registry import Backbone
from vidalign.backbones.runtimes.folding import FoldedNetwork
from vidalign.backbones.runtimes.openvino import OpenVINONetwork
from vidalign.errors import ModelError

Family = Literal["torch", "openvino"]


def prepared(backbone: Backbone, device: str, family: Family, *, compiled: bool = False) -> Backbone:
    """The backbone, for inference only, by OpenVINO or by torch: compiled, or on the CPU its batch norms
    folded. What is made for a shape of clips is made when the first of them come."""
    if family == "openvino":
        backbone.network = OpenVINONetwork(backbone)
    elif compiled:
        backbone.network = CompiledNetwork(backbone.network, backbone.card)
    elif torch.device(device).type == "cpu":
        backbone.network = FoldedNetwork(backbone.network, backbone.recipe)
    return backbone.eval()


class CompiledNetwork(nn.Module):
    """A network compiled by torch; raises ModelError at the first clips where that fails."""

    def __init__(self, network: nn.Module, card: str) -> None:
        super().__init__()
        self.compiled = torch.compile(network, dynamic=False)
        self._card = card
        self._ran = False

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Clips (B, C, N, H, W) -> the network's layers (B, D)."""
        try:
            layers: dict[str, Tensor] = self.compiled(clips)
        except RuntimeError as error:
            if self._ran or isinstance(error, torch.OutOfMemoryError):
                raise
            reason = str(error).strip().partition("\n")[0]
            raise ModelError(
                f"torch cannot compile {self._card}: {reason}", hint="run without --compile"
            ) from None
        self._ran = True
        return layers

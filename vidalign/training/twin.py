"""The slowly following copy that labels for its original (TAN, CVPR 2022; mean teachers, NeurIPS 2017)."""

from __future__ import annotations

from copy import deepcopy
from typing import Generic, TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


class Teacher(nn.Module, Generic[Network]):
    """A copy whose parameters are moving averages: p <- momentum * p + (1 - momentum) * online p.

    Never trained and always in evaluation mode. Buffers are copied as they are.
    """

    def __init__(self, online: Network, momentum: float) -> None:
        super().__init__()
        self.network: Network = deepcopy(online).requires_grad_(False)
        self.momentum = momentum
        self.network.eval()

    def train(self, mode: bool = True) -> Teacher[Network]:
        """Only the wrapper's own flag follows; the copy stays in evaluation mode."""
        self.training = mode
        return self

    @torch.no_grad()
    def follow(self, online: nn.Module) -> None:
        """One step towards `online`, a network of the same parameters."""
        for mine, theirs in zip(self.network.parameters(), online.parameters(), strict=True):
            mine.lerp_(theirs, 1 - self.momentum)
        for kept, current in zip(self.network.buffers(), online.buffers(), strict=True):
            kept.copy_(current)

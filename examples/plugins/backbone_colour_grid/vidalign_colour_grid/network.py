"""Mean and spread of brightness and of two opponent colours in every cell of a grid over the picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ColourGrid(nn.Module):
    """Clips (B, 3, N, H, W) -> {"grid": (B, 6 * cells * cells)}; the means of all cells, then the spreads."""

    def __init__(self, cells: int = 4) -> None:
        super().__init__()
        self.opponent = nn.Conv3d(3, 3, 1, bias=False)
        self.cells = cells
        self.layers = {"grid": 6 * cells * cells}

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        colours = self.opponent(clips)
        size = (1, self.cells, self.cells)
        mean = F.adaptive_avg_pool3d(colours, size)
        spread = F.adaptive_avg_pool3d(colours.square(), size) - mean.square()
        return {"grid": torch.cat((mean, spread.clamp_min(0).sqrt()), dim=1).flatten(1)}

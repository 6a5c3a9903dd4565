"""Temporal modules for 2-D networks: the temporal adaptive module, and the shift of channels in time.

Both take frames (B * T, C, H, W), the T frames of a clip one after the other, and keep their shape.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

KERNEL = 3
"""Frames that the adaptive kernel spans."""


class TemporalAdaptive(nn.Module):
    """TAM (Liu et al., ICCV 2021, arXiv 2005.06803; liu-zhy/temporal-adaptive-module).

    Of the spatially pooled frames, `G` makes one temporal kernel for each clip and channel, `L` an importance
    for each clip, channel and frame; the frames, weighted by the importance, are convolved with the kernel.
    `G` is a function of the whole clip, so that the weights belong to one number of `frames`.
    """

    def __init__(self, channels: int, frames: int, *, reduction: int = 4, widening: int = 2) -> None:
        super().__init__()
        inner = max(1, channels // reduction)
        self.frames = frames
        self.G = nn.Sequential(
            nn.Linear(frames, frames * widening, bias=False),
            nn.BatchNorm1d(frames * widening),
            nn.ReLU(inplace=True),
            nn.Linear(frames * widening, KERNEL, bias=False),
            nn.Softmax(dim=-1),
        )
        self.L = nn.Sequential(
            nn.Conv1d(channels, inner, KERNEL, padding=KERNEL // 2, bias=False),
            nn.BatchNorm1d(inner),
            nn.ReLU(inplace=True),
            nn.Conv1d(inner, channels, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B * T, C, H, W) -> the same; T is `frames`."""
        clips = x.view(-1, self.frames, *x.shape[1:])
        pooled = clips.mean(dim=(3, 4)).transpose(1, 2)
        kernel = self.G(pooled.flatten(0, 1)).view(*pooled.shape[:2], KERNEL)
        return convolved(clips, kernel, self.L(pooled)).flatten(0, 1)


def convolved(clips: Tensor, kernel: Tensor, importance: Tensor) -> Tensor:
    """Clips (B, T, C, H, W), weighted by the importance (B, C, T), with a temporal kernel (B, C, 3) each.

    Frames outside of the clip are zero; cross-correlation, as every convolution of a network. It is done as
    one product with a banded T x T matrix for each clip and channel.
    """
    before, here, after = (kernel[..., k, None] * importance for k in range(KERNEL))
    mixing = (
        torch.diag_embed(here)
        + torch.diag_embed(before[..., :-1], offset=-1)
        + torch.diag_embed(after[..., 1:], offset=1)
    )
    frames = clips.transpose(1, 2)
    mixed = mixing.flatten(0, 1) @ frames.flatten(3).flatten(0, 1)
    return mixed.view(frames.shape).transpose(1, 2)


class TemporalShift(nn.Module):
    """A share of the channels from the frame before, as many from the frame after, without weights.

    After TSM (Lin et al., ICCV 2019, arXiv 1811.08383), at the place where TAM stands.
    """

    def __init__(self, channels: int, frames: int, *, share: int = 8) -> None:
        super().__init__()
        self.frames = frames
        self.moved = max(1, channels // share)

    def forward(self, x: Tensor) -> Tensor:
        """(B * T, C, H, W) -> the same; T is `frames`."""
        clips = x.view(-1, self.frames, *x.shape[1:])
        out = torch.zeros_like(clips)
        first, second = slice(0, self.moved), slice(self.moved, 2 * self.moved)
        out[:, :-1, first] = clips[:, 1:, first]
        out[:, 1:, second] = clips[:, :-1, second]
        out[:, :, 2 * self.moved :] = clips[:, :, 2 * self.moved :]
        return out.flatten(0, 1)

"""S3D-G as trained by MIL-NCE on HowTo100M.

Xie et al., ECCV 2018; Miech et al., CVPR 2020 (antoine77340/S3D_HowTo100M). State-dict names are the
published ones, so a published checkpoint loads strictly.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidalign.backbones.word2vec import Word2VecText

INCEPTION = {
    "mixed_3b": (64, 96, 128, 16, 32, 32),
    "mixed_3c": (128, 128, 192, 32, 96, 64),
    "mixed_4b": (192, 96, 208, 16, 48, 64),
    "mixed_4c": (160, 112, 224, 24, 64, 64),
    "mixed_4d": (128, 128, 256, 24, 64, 64),
    "mixed_4e": (112, 144, 288, 32, 64, 64),
    "mixed_4f": (256, 160, 320, 32, 128, 128),
    "mixed_5b": (256, 160, 320, 32, 128, 128),
    "mixed_5c": (384, 192, 384, 48, 128, 128),
}
"""Output channels of b0, b1 (1x1, 3x3), b2 (1x1, 3x3) and b3 at width 1."""

POOL_BEFORE = {
    "mixed_3b": ((1, 3, 3), (1, 2, 2)),
    "mixed_4b": ((3, 3, 3), (2, 2, 2)),
    "mixed_5b": ((2, 2, 2), (2, 2, 2)),
}
"""Kernel and stride of the max pooling in front of a block."""


class Conv(nn.Module):
    """Convolution, batch norm, ReLU; `separable` splits it into a spatial and a temporal one."""

    def __init__(self, cin: int, cout: int, kernel: int, *, separable: bool = False) -> None:
        super().__init__()
        depth, half = (1 if separable else kernel), kernel // 2
        self.conv1 = nn.Conv3d(
            cin, cout, (depth, kernel, kernel), padding=(depth // 2, half, half), bias=False
        )
        self.bn1 = nn.BatchNorm3d(cout)
        self.separable = separable
        if separable:
            self.conv2 = nn.Conv3d(cout, cout, (kernel, 1, 1), padding=(half, 0, 0), bias=False)
            self.bn2 = nn.BatchNorm3d(cout)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        if self.separable:
            x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        return x


class Stem(nn.Module):
    """First convolution over space-to-depth input, 24 channels in; extends one step less to the past."""

    def __init__(self, cout: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(24, cout, (2, 4, 4), padding=(1, 2, 2), bias=False)
        self.bn1 = nn.BatchNorm3d(cout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)[:, :, 1:, 1:, 1:]
        return F.relu(self.bn1(x), inplace=True)


class SelfGating(nn.Module):
    """x * sigmoid(linear(mean of x over time and space))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.sigmoid(self.fc(x.mean(dim=(2, 3, 4))))
        return x * weights[:, :, None, None, None]


class Inception(nn.Module):
    """Four gated branches, concatenated."""

    def __init__(self, cin: int, b0: int, b1a: int, b1b: int, b2a: int, b2b: int, b3: int) -> None:
        super().__init__()
        self.conv_b0 = Conv(cin, b0, 1)
        self.conv_b1_a = Conv(cin, b1a, 1)
        self.conv_b1_b = Conv(b1a, b1b, 3, separable=True)
        self.conv_b2_a = Conv(cin, b2a, 1)
        self.conv_b2_b = Conv(b2a, b2b, 3, separable=True)
        self.conv_b3_b = Conv(cin, b3, 1)
        self.gating_b0 = SelfGating(b0)
        self.gating_b1 = SelfGating(b1b)
        self.gating_b2 = SelfGating(b2b)
        self.gating_b3 = SelfGating(b3)
        self.out_channels = b0 + b1b + b2b + b3

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.max_pool3d(x, 3, stride=1, padding=1)
        branches = (
            self.gating_b0(self.conv_b0(x)),
            self.gating_b1(self.conv_b1_b(self.conv_b1_a(x))),
            self.gating_b2(self.conv_b2_b(self.conv_b2_a(x))),
            self.gating_b3(self.conv_b3_b(pooled)),
        )
        return torch.cat(branches, dim=1)


def space_to_depth(x: Tensor) -> Tensor:
    """(B, C, T, H, W) -> (B, 8C, T/2, H/2, W/2), channels in the order time, height, width, colour."""
    b, c, t, h, w = x.shape
    x = x.reshape(b, c, t // 2, 2, h // 2, 2, w // 2, 2)
    return x.permute(0, 3, 5, 7, 1, 2, 4, 6).reshape(b, 8 * c, t // 2, h // 2, w // 2)


def max_pool_same(x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
    """Max pooling with TensorFlow's SAME padding by zeros."""
    padding: list[int] = []
    for k, s in zip(reversed(kernel), reversed(stride), strict=True):
        total = max(k - s, 0)
        padding += [total // 2, total - total // 2]
    return F.max_pool3d(F.pad(x, padding), kernel, stride, ceil_mode=True)


class S3D(nn.Module):
    """S3D-G with its sentence encoder; `width` multiplies every channel count of the video tower."""

    def __init__(
        self,
        width: float = 1.0,
        embedding: int = 512,
        vocabulary: int = 66250,
        word_dim: int = 300,
        text_hidden: int = 2048,
    ) -> None:
        super().__init__()

        def scaled(channels: int) -> int:
            return max(4, round(channels * width))

        stem = scaled(64)
        self.conv1 = Stem(stem)
        self.conv_2b = Conv(stem, stem, 1)
        self.conv_2c = Conv(stem, scaled(192), 3, separable=True)
        self.gating = SelfGating(scaled(192))
        channels = scaled(192)
        for name, branches in INCEPTION.items():
            block = Inception(channels, *(scaled(c) for c in branches))
            self.add_module(name, block)
            channels = block.out_channels
        self.fc = nn.Linear(channels, embedding)
        self.text_module = Word2VecText(vocabulary, word_dim, text_hidden, embedding)
        self.layers = {"mixed_5c": channels, "video_embedding": embedding}

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Clips (B, 3, N, H, W), RGB in [0, 1], N, H, W even -> `mixed_5c` (B, 1024 * width) and
        `video_embedding` (B, embedding)."""
        x = self.conv1(space_to_depth(clips))
        x = max_pool_same(x, (1, 3, 3), (1, 2, 2))
        x = self.gating(self.conv_2c(self.conv_2b(x)))
        for name in INCEPTION:
            if name in POOL_BEFORE:
                x = max_pool_same(x, *POOL_BEFORE[name])
            x = self.get_submodule(name)(x)
        pooled = x.mean(dim=(2, 3, 4))
        return {"mixed_5c": pooled, "video_embedding": self.fc(pooled)}

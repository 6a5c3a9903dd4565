"""S3D as trained on Kinetics-400 (Xie et al., ECCV 2018; kylemin/S3D).

State-dict names are those of that repository. Unlike S3D-HowTo100M (`s3d`) it has no gating and no
space-to-depth stem, and reads pixels in [-1, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidalign.backbones.s3d import INCEPTION
from vidalign.errors import DataError

EPS = 1e-3
HEAD_FRAMES = 2
"""Steps of the last map that the average pooling in front of the classifier takes together."""


class Basic(nn.Module):
    """Convolution 1x1x1, batch norm, ReLU."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(cin, cout, 1, bias=False)
        self.bn = _norm(cout)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class Separable(nn.Module):
    """A spatial convolution, then a temporal one, each with batch norm and ReLU."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        half = kernel // 2
        self.conv_s = nn.Conv3d(
            cin, cout, (1, kernel, kernel), (1, stride, stride), padding=(0, half, half), bias=False
        )
        self.bn_s = _norm(cout)
        self.conv_t = nn.Conv3d(cout, cout, (kernel, 1, 1), (stride, 1, 1), padding=(half, 0, 0), bias=False)
        self.bn_t = _norm(cout)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn_s(self.conv_s(x)), inplace=True)
        return F.relu(self.bn_t(self.conv_t(x)), inplace=True)


class Mixed(nn.Module):
    """Four branches, concatenated."""

    def __init__(self, cin: int, b0: int, b1a: int, b1b: int, b2a: int, b2b: int, b3: int) -> None:
        super().__init__()
        self.branch0 = nn.Sequential(Basic(cin, b0))
        self.branch1 = nn.Sequential(Basic(cin, b1a), Separable(b1a, b1b, 3))
        self.branch2 = nn.Sequential(Basic(cin, b2a), Separable(b2a, b2b, 3))
        self.branch3 = nn.Sequential(nn.MaxPool3d(3, 1, padding=1), Basic(cin, b3))
        self.out_channels = b0 + b1b + b2b + b3

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch0(x), self.branch1(x), self.branch2(x), self.branch3(x)], dim=1)


class S3DKinetics(nn.Module):
    """S3D with its Kinetics classifier."""

    def __init__(self, classes: int = 400) -> None:
        super().__init__()
        blocks: list[nn.Module] = [Separable(3, 64, 7, 2), _pool((1, 3, 3), (1, 2, 2))]
        blocks += [Basic(64, 64), Separable(64, 192, 3), _pool((1, 3, 3), (1, 2, 2))]
        width = 192
        for name, widths in INCEPTION.items():
            if name == "mixed_4b":
                blocks.append(_pool((3, 3, 3), (2, 2, 2)))
            elif name == "mixed_5b":
                blocks.append(nn.MaxPool3d(2, 2))
            block = Mixed(width, *widths)
            blocks.append(block)
            width = block.out_channels
        self.base = nn.Sequential(*blocks)
        self.fc = nn.Sequential(nn.Conv3d(width, classes, 1))
        self.layers = {"features": width, "logits": classes}

    def pooled_map(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, N, H, W), RGB in [-1, 1] -> (B, 1024, T', 1, 1): the last map, averaged over its whole
        picture and over two steps of 8 frames, one step apart: T' = N / 8 - 1 for multiples of 8. Raises
        DataError where clips are too short for two steps, or their pictures too small for one."""
        if clips.shape[2] < 13 or min(clips.shape[3:]) < 17:
            frames, height, width = clips.shape[2:]
            raise DataError(
                f"clips of {frames} frames of {height}x{width} are too small for S3D: "
                "it takes at least 13 frames of 17x17"
            )
        x: Tensor = self.base(clips)
        return F.avg_pool3d(x, (HEAD_FRAMES, *x.shape[3:]), stride=1)

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Clips (B, 3, N, H, W), RGB in [-1, 1] -> `features` (B, 1024), the mean of `pooled_map` over its T'
        steps, and `logits` (B, classes), the classifier's mean over the same steps."""
        pooled = self.pooled_map(clips)
        return {"features": pooled.mean(dim=(2, 3, 4)), "logits": self.fc(pooled).mean(dim=(2, 3, 4))}


def _norm(channels: int) -> nn.BatchNorm3d:
    return nn.BatchNorm3d(channels, eps=EPS, momentum=0.001)


def _pool(kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> nn.MaxPool3d:
    return nn.MaxPool3d(kernel, stride, padding=tuple(k // 2 for k in kernel))

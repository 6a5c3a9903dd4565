"""I3D, the inflated Inception (Carreira & Zisserman, CVPR 2017; deepmind/kinetics-i3d).

State-dict names are those of the PyTorch port piergiaj/pytorch-i3d; `i3d_names` knows the other ones.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidalign.backbones.s3d import INCEPTION, POOL_BEFORE
from vidalign.errors import DataError

EPS = 1e-3
HEAD_POOL = (2, 7, 7)
"""Kernel of the average pooling in front of the classifier, in steps of the last map."""

BRANCHES = ("b0", "b1a", "b1b", "b2a", "b2b", "b3b")
KERNELS = {"b0": 1, "b1a": 1, "b1b": 3, "b2a": 1, "b2b": 3, "b3b": 1}

Triple = tuple[int, int, int]


def pad_same(x: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """Zeros around (B, C, T, H, W) as TensorFlow's SAME adds them to an input of that very size.

    An axis gets what the last step lacks, the odd one at its end.
    """
    padding: list[int] = []
    for size, k, s in zip(reversed(x.shape[2:]), reversed(kernel), reversed(stride), strict=True):
        total = max(k - (size % s or s), 0)
        padding += [total // 2, total - total // 2]
    return F.pad(x, padding)


def max_pool(x: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """Max pooling with SAME padding; zeros never win over what a ReLU has left."""
    return F.max_pool3d(pad_same(x, kernel, stride), kernel, stride)


class Unit(nn.Module):
    """Convolution with SAME padding, batch norm, ReLU; `plain` is the convolution alone, with a bias."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int = 1, *, plain: bool = False) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(cin, cout, kernel, stride, bias=plain)
        self.bn = None if plain else nn.BatchNorm3d(cout, eps=EPS, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.conv3d.kernel_size, self.conv3d.stride
        x = self.conv3d(pad_same(x, kernel, stride))  # type: ignore[arg-type]
        return x if self.bn is None else F.relu(self.bn(x), inplace=True)


class Mixed(nn.Module):
    """Four branches, concatenated."""

    def __init__(self, cin: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        inside = dict(zip(BRANCHES, (cin, cin, widths[1], cin, widths[3], cin), strict=True))
        for name, cout in zip(BRANCHES, widths, strict=True):
            self.add_module(name, Unit(inside[name], cout, KERNELS[name]))
        self.out_channels = widths[0] + widths[2] + widths[4] + widths[5]

    def forward(self, x: Tensor) -> Tensor:
        b0, b1a, b1b, b2a, b2b, b3b = (self.get_submodule(name) for name in BRANCHES)
        branches = (b0(x), b1b(b1a(x)), b2b(b2a(x)), b3b(max_pool(x, (3, 3, 3), (1, 1, 1))))
        return torch.cat(branches, dim=1)


class I3D(nn.Module):
    """One stream of I3D: `channels` 3 for pictures, 2 for optical flow."""

    def __init__(self, classes: int = 400, channels: int = 3) -> None:
        super().__init__()
        self.logits = Unit(1024, classes, 1, plain=True)
        self.Conv3d_1a_7x7 = Unit(channels, 64, 7, 2)
        self.Conv3d_2b_1x1 = Unit(64, 64, 1)
        self.Conv3d_2c_3x3 = Unit(64, 192, 3)
        width = 192
        for name, widths in INCEPTION.items():
            block = Mixed(width, widths)
            self.add_module(name.capitalize(), block)
            width = block.out_channels
        self.layers = {"features": width, "logits": classes}

    def pooled_map(self, clips: Tensor) -> Tensor:
        """Clips (B, C, N, H, W) in [-1, 1] -> (B, 1024, T', H', W'): the last map, averaged over windows of
        2 x 7 x 7 steps of 8 frames and 32 pixels, one step apart: T' = ceil(N / 8) - 1, and H' = W' = 1
        for pictures of 224 pixels. Raises DataError where clips are smaller than one window."""
        x = max_pool(self.Conv3d_1a_7x7(clips), (1, 3, 3), (1, 2, 2))
        x = self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(x))
        for name in INCEPTION:
            if name in POOL_BEFORE:
                x = max_pool(x, *POOL_BEFORE[name])
            x = self.get_submodule(name.capitalize())(x)
        if any(size < window for size, window in zip(x.shape[2:], HEAD_POOL, strict=True)):
            raise DataError(
                f"clips of {clips.shape[2]} frames of {clips.shape[3]}x{clips.shape[4]} are too small for "
                "I3D: it takes at least 9 frames of 193x193"
            )
        return F.avg_pool3d(x, HEAD_POOL, stride=1)

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Clips (B, C, N, H, W) in [-1, 1] -> `features` (B, 1024), the mean of `pooled_map` over all its
        T' x H' x W' places, and `logits` (B, classes), the classifier's mean over the same places."""
        pooled = self.pooled_map(clips)
        places = (2, 3, 4)
        return {"features": pooled.mean(dim=places), "logits": self.logits(pooled).mean(dim=places)}


def scale_flow(flow: Tensor) -> Tensor:
    """Optical flow in pixels a frame, channels x and y -> what I3D's flow stream reads: clipped to +-20,
    then divided by 20, as DeepMind did with TV-L1 flow at 25 fps of a shorter side of 256 pixels."""
    return flow.clamp(-20, 20) / 20

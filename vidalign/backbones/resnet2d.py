"""ResNet for single pictures (He et al., CVPR 2016), with a place for a temporal module in every block.

State-dict names and strides are torchvision's (v1.5: a bottleneck halves in its 3x3 convolution); the
temporal module of a block is called `tam`.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

Temporal = Callable[[int], nn.Module]
"""Makes the temporal module for so many channels; it keeps the shape of (pictures, channels, H, W)."""

DEPTHS = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}
"""Layers -> the kind of block, and how many a stage has."""


class Block(nn.Module):
    """conv1, bn1, ReLU, the temporal module, the further convolutions, and the shortcut."""

    expansion = 1

    def __init__(self, cin: int, planes: int, stride: int, temporal: Temporal | None) -> None:
        super().__init__()
        self.make_convolutions(cin, planes, stride)
        self.relu = nn.ReLU(inplace=True)
        out = planes * self.expansion
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or cin != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(cin, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out)
            )
        self.tam: nn.Module = temporal(planes) if temporal is not None else nn.Identity()

    def make_convolutions(self, cin: int, planes: int, stride: int) -> None:
        """Convolutions and norms of this kind of block."""
        self.conv1 = nn.Conv2d(cin, planes, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)

    def rest(self, x: Tensor) -> Tensor:
        """What follows the temporal module, up to the sum."""
        out: Tensor = self.bn2(self.conv2(x))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """(pictures, C, H, W) -> (pictures, planes * expansion, H / stride, W / stride)."""
        out = self.rest(self.tam(self.relu(self.bn1(self.conv1(x)))))
        joined: Tensor = self.relu(out + self.downsample(x))
        return joined


class Bottleneck(Block):
    """1x1, 3x3 with the stride, 1x1 to four times the planes."""

    expansion = 4

    def make_convolutions(self, cin: int, planes: int, stride: int) -> None:
        self.conv1 = nn.Conv2d(cin, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)

    def rest(self, x: Tensor) -> Tensor:
        out: Tensor = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(x)))))
        return out


class ResNet2d(nn.Module):
    """Pictures to one vector each; `width` multiplies every channel count."""

    def __init__(self, depth: int = 50, *, width: float = 1.0, temporal: Temporal | None = None) -> None:
        super().__init__()
        if depth not in DEPTHS:
            raise ValueError(f"no ResNet has {depth} layers; one of {', '.join(map(str, DEPTHS))}")
        kind, counts = DEPTHS[depth]
        block = Bottleneck if kind == "bottleneck" else Block
        stem = max(4, round(64 * width))
        self.conv1 = nn.Conv2d(3, stem, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels = stem
        for number, count in enumerate(counts):
            planes = stem * 2**number
            blocks = []
            for place in range(count):
                stride = 2 if number and not place else 1
                blocks.append(block(channels, planes, stride, temporal))
                channels = planes * block.expansion
            self.add_module(f"layer{number + 1}", nn.Sequential(*blocks))
        self.channels = channels
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        _initialise(self)

    def forward(self, pictures: Tensor) -> Tensor:
        """(pictures, 3, H, W) -> (pictures, channels)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(pictures))))
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
        pooled: Tensor = self.avgpool(x).flatten(1)
        return pooled


def _initialise(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

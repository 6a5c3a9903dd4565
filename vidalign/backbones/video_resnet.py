"""Residual networks over clips: R(2+1)D and R3D of 18 and 34 layers.

Tran et al., CVPR 2018, arXiv 1711.11248; Ghadiyaram et al., CVPR 2019 (IG-65M). One class holds what
torchvision, moabitcoin/ig65m-pytorch and HumamAlwassel/TSP publish under the same names, which differ in the
middle planes and in the batch normalisation. torchvision's own class has no 34 layers and recomputes no
middle planes, and vidalign would depend on torchvision for it alone.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

Midplanes = Literal["block", "conv"]

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
"""Depth -> residual blocks of each stage."""

STEM_MIDPLANES = 45


class VideoResNet(nn.Module):
    """Clips (B, 3, N, H, W) -> {"features": (B, 512), "logits": (B, classes)}; `logits` only with classes.

    `separable` splits a convolution into a spatial and a temporal one, R(2+1)D; else R3D. `midplanes` says
    whether the planes between the two are computed once a block, from its input (torchvision), or for each
    convolution (IG-65M). `width` multiplies every channel count.
    """

    def __init__(
        self,
        depth: int = 18,
        *,
        separable: bool = True,
        midplanes: Midplanes = "block",
        eps: float = 1e-5,
        momentum: float = 0.1,
        classes: int = 400,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        if depth not in BLOCKS:
            raise ValueError(f"depth {depth}, one of {', '.join(map(str, BLOCKS))} expected")
        if midplanes not in ("block", "conv"):
            raise ValueError(f"midplanes {midplanes!r}, block or conv expected")
        self._separable, self._midplanes = separable, midplanes
        channels = [max(1, round(planes * width)) for planes in (64, 64, 128, 256, 512)]
        self.stem = _stem(channels[0], max(1, round(STEM_MIDPLANES * width)), separable)
        for stage, count in enumerate(BLOCKS[depth], start=1):
            self.add_module(f"layer{stage}", self._stage(channels[stage - 1], channels[stage], stage, count))
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.layers = {"features": channels[-1]}
        if classes:
            self.fc = nn.Linear(channels[-1], classes)
            self.layers["logits"] = classes
        _start(self, eps, momentum)

    def _stage(self, inplanes: int, planes: int, stage: int, count: int) -> nn.Sequential:
        stride = 1 if stage == 1 else 2
        first = Block(inplanes, planes, stride, self._separable, self._midplanes)
        rest = (Block(planes, planes, 1, self._separable, self._midplanes) for _ in range(1, count))
        return nn.Sequential(first, *rest)

    def pooled(self, clips: Tensor) -> Tensor:
        """The features (B, 512) alone."""
        x = self.stem(clips)
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
        features: Tensor = self.avgpool(x).flatten(1)
        return features

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        features = self.pooled(clips)
        return {"features": features} | ({"logits": self.fc(features)} if "logits" in self.layers else {})


class Block(nn.Module):
    """Two convolutions with a residual connection, which a 1x1x1 convolution fits where the shape changes."""

    def __init__(
        self, inplanes: int, planes: int, stride: int, separable: bool, midplanes: Midplanes
    ) -> None:
        super().__init__()
        first = _midplanes(inplanes, planes)
        second = first if midplanes == "block" else _midplanes(planes, planes)
        self.conv1 = nn.Sequential(
            _convolution(inplanes, planes, first, stride, separable),
            nn.BatchNorm3d(planes),
            nn.ReLU(inplace=True),
        )
        self.conv2 = nn.Sequential(_convolution(planes, planes, second, 1, separable), nn.BatchNorm3d(planes))
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inplanes != planes:
            shortcut = nn.Conv3d(inplanes, planes, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm3d(planes))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        added: Tensor = self.relu(self.conv2(self.conv1(x)) + shortcut)
        return added


def _midplanes(inplanes: int, planes: int) -> int:
    """Planes between the two halves such that they have as many weights as one 3x3x3 convolution."""
    return max(1, (inplanes * planes * 27) // (inplanes * 9 + 3 * planes))


def _convolution(inplanes: int, planes: int, mid: int, stride: int, separable: bool) -> nn.Module:
    if not separable:
        return nn.Conv3d(inplanes, planes, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(
        nn.Conv3d(inplanes, mid, (1, 3, 3), stride=(1, stride, stride), padding=(0, 1, 1), bias=False),
        nn.BatchNorm3d(mid),
        nn.ReLU(inplace=True),
        nn.Conv3d(mid, planes, (3, 1, 1), stride=(stride, 1, 1), padding=(1, 0, 0), bias=False),
    )


def _stem(planes: int, mid: int, separable: bool) -> nn.Sequential:
    if not separable:
        return nn.Sequential(
            nn.Conv3d(3, planes, (3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3), bias=False),
            nn.BatchNorm3d(planes),
            nn.ReLU(inplace=True),
        )
    return nn.Sequential(
        nn.Conv3d(3, mid, (1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3), bias=False),
        nn.BatchNorm3d(mid),
        nn.ReLU(inplace=True),
        nn.Conv3d(mid, planes, (3, 1, 1), padding=(1, 0, 0), bias=False),
        nn.BatchNorm3d(planes),
        nn.ReLU(inplace=True),
    )


def _start(network: nn.Module, eps: float, momentum: float) -> None:
    """He initialisation of the convolutions, small weights for the linear layers, and the switches of BN."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm3d):
            module.eps, module.momentum = eps, momentum
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.01)
            nn.init.zeros_(module.bias)

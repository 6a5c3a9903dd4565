"""C3D: eight 3x3x3 convolutions and two wide linear layers over 16 frames of 112 pixels.

Tran et al., ICCV 2015, arXiv 1412.0767. The moment-retrieval literature reads its `fc6` or `fc7`, or `fc7`
projected to 500 dimensions. No library that vidalign depends on has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

CONVOLUTIONS = {
    "conv1a": (3, 64),
    "conv2a": (64, 128),
    "conv3a": (128, 256),
    "conv3b": (256, 256),
    "conv4a": (256, 512),
    "conv4b": (512, 512),
    "conv5a": (512, 512),
    "conv5b": (512, 512),
}
"""Channels in and out at width 1."""

POOLED = ("conv1a", "conv2a", "conv3b", "conv4b")
"""Convolutions behind which there is max pooling by 2, of space alone behind the first."""

HIDDEN = 4096
FRAMES, SIZE = 16, 112

_SEQUENTIAL = {
    "features": dict(zip((0, 3, 6, 8, 11, 13, 16, 18), CONVOLUTIONS, strict=True)),
    "classifier": {0: "fc6", 3: "fc7", 6: "fc8"},
}
_NUMBERED = re.compile(r"(features|classifier)\.(\d+)\.(weight|bias)")


class C3D(nn.Module):
    """Clips (B, 3, 16, 112, 112) -> {"fc6", "fc7": (B, 4096), "logits": (B, classes)}.

    `fc6` and `fc7` are taken behind their ReLU; `logits` only with classes. The last pooling makes 4x4 of
    7x7: `pad` puts a border around first, as the PyTorch ports do, `ceil` cuts the last window short, as
    Caffe does. `frames` and `size` are multiples of 16; `width` multiplies every channel count.
    """

    def __init__(
        self,
        classes: int = 0,
        *,
        pool5: Literal["pad", "ceil"] = "pad",
        frames: int = FRAMES,
        size: int = SIZE,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        if pool5 not in ("pad", "ceil"):
            raise ValueError(f"pool5 {pool5!r}, pad or ceil expected")
        if min(frames, size) < 16 or frames % 16 or size % 16:
            raise ValueError(f"clips of {frames} frames and {size} pixels, multiples of 16 expected")
        self._ceil = pool5 == "ceil"

        def scaled(channels: int) -> int:
            return channels if channels == 3 else max(1, round(channels * width))

        for name, (inputs, outputs) in CONVOLUTIONS.items():
            self.add_module(name, nn.Conv3d(scaled(inputs), scaled(outputs), 3, padding=1))
        cells = (frames // 16) * (size // 32 + (1 if size % 32 or not self._ceil else 0)) ** 2
        hidden = scaled(HIDDEN)
        self.fc6 = nn.Linear(scaled(512) * cells, hidden)
        self.fc7 = nn.Linear(hidden, hidden)
        self.layers = {"fc6": hidden, "fc7": hidden}
        if classes:
            self.fc8 = nn.Linear(hidden, classes)
            self.layers["logits"] = classes

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        x = clips
        for name in CONVOLUTIONS:
            x = F.relu(self.get_submodule(name)(x), inplace=True)
            if name in POOLED:
                x = F.max_pool3d(x, (1, 2, 2) if name == "conv1a" else 2)
        x = F.max_pool3d(x, 2, padding=(0, 0, 0) if self._ceil else (0, 1, 1), ceil_mode=self._ceil)
        found = {"fc6": F.relu(self.fc6(x.flatten(1)))}
        found["fc7"] = F.relu(self.fc7(found["fc6"]))
        return found | ({"logits": self.fc8(found["fc7"])} if "logits" in self.layers else {})


def our_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Published C3D weights under this module's names, which are those of the Caffe definition.

    Known: mmaction2's (`backbone.conv1a.conv.weight`, `cls_head.fc_cls.weight`), DavideA/c3d-pytorch's
    (`conv1.weight`), those of nested Sequentials (`features.0.weight`, `classifier.0.weight`).
    """
    return {_our_name(name): tensor for name, tensor in tensors.items()}


def _our_name(name: str) -> str:
    if found := _NUMBERED.fullmatch(name):
        layer = _SEQUENTIAL[found[1]].get(int(found[2]))
        return name if layer is None else f"{layer}.{found[3]}"
    bare = name.removeprefix("backbone.").replace("cls_head.fc_cls.", "fc8.")
    bare = re.sub(r"^(conv\d[ab])\.conv\.", r"\1.", bare)
    return re.sub(r"^(conv[12])\.", r"\1a.", bare)

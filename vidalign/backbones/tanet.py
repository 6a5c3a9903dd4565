"""TANet and its relatives: a 2-D ResNet over the frames of a clip, which temporal modules connect.

TANet is ResNet-50 with TAM in each bottleneck (Liu et al., ICCV 2021; liu-zhy/temporal-adaptive-module).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Literal

from torch import Tensor, nn

from vidalign.backbones.resnet2d import ResNet2d
from vidalign.backbones.tam import TemporalAdaptive, TemporalShift

TemporalKind = Literal["none", "shift", "tam"]
_KINDS: dict[str, type[nn.Module]] = {"shift": TemporalShift, "tam": TemporalAdaptive}


class TANet(nn.Module):
    """A ResNet over `frames` pictures and a classifier of each; outputs are means over the frames.

    `temporal` tam is TANet, shift a TSM-like network, none the plain ResNet of TSN (Wang et al., ECCV 2016).
    `width` multiplies every channel count; `dropout` acts before the classifier, in training.
    """

    def __init__(
        self,
        depth: int = 50,
        frames: int = 8,
        *,
        classes: int = 400,
        temporal: TemporalKind = "tam",
        width: float = 1.0,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if temporal != "none" and temporal not in _KINDS:
            raise ValueError(f"temporal is {temporal!r}; one of none, {', '.join(_KINDS)}")
        made = None if temporal == "none" else partial(_KINDS[temporal], frames=frames)
        self.base = ResNet2d(depth, width=width, temporal=made)
        self.frames = frames
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(self.base.channels, classes)
        nn.init.normal_(self.fc.weight, 0, 0.001)
        nn.init.zeros_(self.fc.bias)
        self.layers = {"features": self.base.channels, "logits": classes}

    def frame_features(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, frames, H, W), normalised -> (B, frames, channels)."""
        pictures = clips.transpose(1, 2)
        vectors: Tensor = self.base(pictures.flatten(0, 1))
        return vectors.view(*pictures.shape[:2], -1)

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Clips (B, 3, frames, H, W) -> `features` (B, channels) and `logits` (B, classes)."""
        vectors = self.frame_features(clips)
        scores: Tensor = self.fc(self.dropout(vectors))
        return {"features": vectors.mean(dim=1), "logits": scores.mean(dim=1)}


_SCHEMES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (r"^module\.", ""),
        (r"^base_model\.|^backbone\.", "base."),
        (r"^new_fc\.|^cls_head\.fc_cls\.", "fc."),
        (r"\.self_conv\.conv_f\.", ".tam.G."),
        (r"\.self_conv\.conv_g\.", ".tam.L."),
        (r"^(base\.layer\d+\.\d+\.)(?:net|block)\.", r"\1"),
        (r"\.downsample\.conv\.", ".downsample.0."),
        (r"\.downsample\.bn\.", ".downsample.1."),
        (r"\.conv(\d)\.conv\.", r".conv\1."),
        (r"\.conv(\d)\.bn\.", r".bn\1."),
    )
)
"""Applied one after the other: the repository's names with those it had before, and mmaction2's."""


def our_names(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A published state dict under this class's names; a name of no known scheme stays as it is."""
    return {_our_name(name): tensor for name, tensor in published.items()}


def _our_name(name: str) -> str:
    for pattern, new in _SCHEMES:
        name = pattern.sub(new, name)
    return name

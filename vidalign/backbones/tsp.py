"""TSP: clip encoders pretrained to tell actions apart, and action from no action.

Alwassel et al., ICCV Workshops 2021, arXiv 2011.11479 (HumamAlwassel/TSP). State-dict names are the published
ones: the encoder below `features.`, the heads `fc1` (action) and `fc2` (region), or `fc` alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidalign.backbones.video_resnet import Midplanes, VideoResNet

HEAD_STD = 0.01


class TSP(nn.Module):
    """Clips (B, 3, N, H, W) -> {"features": (B, 512), "action": (B, actions), "region": (B, regions)}.

    `actions` 0: no head. `regions` 0: the baseline trained on actions alone (TAC), whose one head is called
    `fc`. `gvf`: width of the global video feature beside which the region head reads a clip, 0 for none. The
    other arguments are VideoResNet's.
    """

    def __init__(
        self,
        depth: int = 34,
        *,
        separable: bool = True,
        midplanes: Midplanes = "block",
        eps: float = 1e-5,
        momentum: float = 0.1,
        actions: int = 200,
        regions: int = 2,
        gvf: int = 512,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        if min(actions, regions, gvf) < 0 or (gvf and not regions):
            raise ValueError("actions, regions and gvf must not be negative, and gvf needs regions")
        self.features = VideoResNet(
            depth,
            separable=separable,
            midplanes=midplanes,
            eps=eps,
            momentum=momentum,
            classes=0,
            width=width,
        )
        self.gvf = gvf
        self.heads: dict[str, str] = {}
        self.layers = dict(self.features.layers)
        size = self.layers["features"]
        if actions:
            self._add_head("action", "fc1" if regions else "fc", size, actions)
        if regions:
            self._add_head("region", "fc2", size + gvf, regions)
        if gvf:
            del self.layers["region"]

    def _add_head(self, layer: str, name: str, inputs: int, outputs: int) -> None:
        head = nn.Linear(inputs, outputs)
        nn.init.normal_(head.weight, 0.0, HEAD_STD)
        nn.init.zeros_(head.bias)
        self.add_module(name, head)
        self.heads[layer] = name
        self.layers[layer] = outputs

    def forward(self, clips: Tensor, gvf: Tensor | None = None) -> dict[str, Tensor]:
        """`gvf` (B, gvf) are the global features of the clips' videos; without them there is no `region`."""
        return self.judge(self.features.pooled(clips), gvf)

    def judge(self, features: Tensor, gvf: Tensor | None = None) -> dict[str, Tensor]:
        """What `forward` gives, from the features (B, 512) of clips."""
        found = {"features": features}
        for layer, name in self.heads.items():
            if layer == "region" and self.gvf:
                if gvf is None:
                    continue
                found[layer] = self.get_submodule(name)(torch.cat((features, gvf), dim=1))
            else:
                found[layer] = self.get_submodule(name)(features)
        return found

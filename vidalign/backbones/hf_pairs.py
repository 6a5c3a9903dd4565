"""Pairs of a picture (or video) tower and a text tower from transformers: CLIP, SigLIP, SigLIP 2, X-CLIP.

Radford et al., ICML 2021; Zhai et al., ICCV 2023; Tschannen et al., arXiv 2502.14786; Ni et al., ECCV 2022.
The networks are those of the library transformers; arguments are the values of a hub's config.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from typing import Any

import torch
from torch import Tensor

from vidalign.backbones.hf import Wrapped, checked_values, needs_transformers, renamed

EMBEDDED = "image_embeds"
"""The layer that a text tower's vectors are compared with, per picture."""

POOLED = "pooled"
"""CLIP's layer before the projection into the shared space."""

VIDEO_EMBEDDED = "video_embeds"
"""The same of X-CLIP, per clip."""


class Pair(Wrapped):
    """Both towers: `forward` of clips, `encode_text` of token ids; `shared` names the layer of one space.

    `vocabulary` and `tokens` are the rows of the text tower's tables: token ids, and positions of a sentence.
    """

    shared = EMBEDDED
    whole_length = False
    """Whether sentences are filled up to `tokens` and padding takes part, as the model was trained."""
    lower = False
    """Whether it was trained on lower-case text that its tokenizer does not see to."""

    def __init__(self, network: Any, layers: Mapping[str, int]) -> None:
        super().__init__(network, layers)
        text = network.config.text_config
        self.vocabulary = int(text.vocab_size)
        self.tokens = int(text.max_position_embeddings)

    @property
    def temperature(self) -> float:
        """What cosines are divided by: 1 / exp(logit_scale). SigLIP's bias, the same for all, is left out."""
        return exp(-float(self.network.logit_scale.item()))

    def encode_text(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Ids (K, W) and their mask, 1 at real tokens -> (K, D) of the shared space."""
        attended = None if self.whole_length else mask
        pooled = self.network.text_model(input_ids=ids, attention_mask=attended).pooler_output
        return self._text_projection(pooled)

    def project(self, features: Tensor) -> Tensor | None:
        """Features (..., D) of a layer, told by its width -> (..., C) of the shared space; None: of none."""
        return features if features.shape[-1] == self.layers[self.shared] else None

    def _text_projection(self, pooled: Tensor) -> Tensor:
        projected: Tensor = self.network.text_projection(pooled)
        return projected


def _pictures(clips: Tensor) -> Tensor:
    """Clips (B, 3, N, H, W) -> (B * N, 3, H, W)."""
    return clips.transpose(1, 2).flatten(0, 1)


def _mean_of_frames(vectors: Tensor, clips: Tensor) -> Tensor:
    """Vectors (B * N, D) -> (B, D)."""
    return vectors.reshape(clips.shape[0], clips.shape[2], -1).mean(dim=1)


class CLIP(Pair):
    """CLIP's image and text towers; a clip of several frames is the mean of theirs.

    `size` is the side of the pictures, which the config says already.
    """

    def __init__(self, size: int = 0, **values: Any) -> None:
        with needs_transformers("CLIP"):
            from transformers.models.clip.configuration_clip import CLIPConfig
            from transformers.models.clip.modeling_clip import CLIPModel
        with checked_values():
            network = CLIPModel(CLIPConfig.from_dict(values))
        config = network.config
        super().__init__(network, {EMBEDDED: config.projection_dim, POOLED: config.vision_config.hidden_size})

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Clips (B, 3, N, H, W) -> `image_embeds` (B, projection_dim), `pooled` (B, hidden_size)."""
        pooled = self.network.vision_model(pixel_values=_pictures(clips)).pooler_output
        embedded = self.network.visual_projection(pooled)
        return {EMBEDDED: _mean_of_frames(embedded, clips), POOLED: _mean_of_frames(pooled, clips)}

    def project(self, features: Tensor) -> Tensor | None:
        """Features of either layer -> the shared space."""
        if features.shape[-1] == self.layers[EMBEDDED] or features.shape[-1] != self.layers[POOLED]:
            return super().project(features)
        projected: Tensor = self.network.visual_projection(features)
        return projected


class SigLIP(Pair):
    """SigLIP's towers, and those of SigLIP 2 at a fixed size, whose files are of the same kind."""

    whole_length = True
    lower = True

    def __init__(self, size: int = 0, **values: Any) -> None:
        with needs_transformers("SigLIP"):
            from transformers.models.siglip.configuration_siglip import SiglipConfig
            from transformers.models.siglip.modeling_siglip import SiglipModel
        with checked_values():
            network = SiglipModel(SiglipConfig.from_dict(values))
        super().__init__(network, {EMBEDDED: network.config.vision_config.hidden_size})

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Clips (B, 3, N, H, W) -> `image_embeds` (B, hidden_size), the mean of the frames'."""
        pooled = self.network.vision_model(pixel_values=_pictures(clips)).pooler_output
        return {EMBEDDED: _mean_of_frames(pooled, clips)}

    def _text_projection(self, pooled: Tensor) -> Tensor:
        return pooled


class SigLIP2(SigLIP):
    """SigLIP 2 of any size (NaFlex), here given squares: patches are cut here, positions scaled there."""

    def __init__(self, size: int = 0, **values: Any) -> None:
        with needs_transformers("SigLIP 2"):
            from transformers.models.siglip2.configuration_siglip2 import Siglip2Config
            from transformers.models.siglip2.modeling_siglip2 import Siglip2Model
        with checked_values():
            network = Siglip2Model(Siglip2Config.from_dict(values))
        Pair.__init__(self, network, {EMBEDDED: network.config.vision_config.hidden_size})

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Clips (B, 3, N, H, W), H and W multiples of the patch -> `image_embeds` (B, hidden_size)."""
        pictures, side = _pictures(clips), self.network.config.vision_config.patch_size
        rows, columns = pictures.shape[2] // side, pictures.shape[3] // side
        cells = pictures.reshape(len(pictures), 3, rows, side, columns, side)
        patches = cells.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)
        shapes = torch.tensor([[rows, columns]], device=clips.device).expand(len(patches), 2)
        pooled = self.network.vision_model(
            pixel_values=patches,
            pixel_attention_mask=torch.ones(patches.shape[:2], dtype=torch.long, device=clips.device),
            spatial_shapes=shapes,
        ).pooler_output
        return {EMBEDDED: _mean_of_frames(pooled, clips)}


class XCLIP(Pair):
    """X-CLIP's video tower, whose frames exchange messages, and its text tower.

    Its prompts, which bend every sentence towards one video, are left out: sentences have one vector each.
    """

    shared = VIDEO_EMBEDDED

    def __init__(self, size: int = 0, frames: int = 0, **values: Any) -> None:
        with needs_transformers("X-CLIP"):
            from transformers.models.x_clip.configuration_x_clip import XCLIPConfig
            from transformers.models.x_clip.modeling_x_clip import XCLIPModel
        with checked_values():
            network = XCLIPModel(XCLIPConfig.from_dict(values))
        super().__init__(network, {VIDEO_EMBEDDED: network.config.projection_dim})

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Clips (B, 3, N, H, W), N as the config says -> `video_embeds` (B, projection_dim)."""
        pooled = self.network.vision_model(pixel_values=_pictures(clips)).pooler_output
        frames = self.network.visual_projection(pooled).reshape(clips.shape[0], clips.shape[2], -1)
        return {VIDEO_EMBEDDED: self.network.mit(frames).pooler_output}


def names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A pair's state dict as the hub has it, without the counters of positions that older files hold."""
    return renamed(tensors)

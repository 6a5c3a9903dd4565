"""Self-supervised video encoders from transformers, for features only: VideoMAE and V-JEPA 2.

Tong et al., NeurIPS 2022; Assran et al., arXiv 2506.09985. Arguments are the values of a hub's config.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from vidalign.backbones.hf import Weights, Wrapped, checked_values, needs_transformers, renamed

MEAN = "mean_tokens"
"""The mean of all tokens of the last layer (after its norm, where the model has one)."""

POOLED = "pooled"
"""The model's own pooling, which only classifiers have been trained with."""


class VideoMAE(Wrapped):
    """VideoMAE's encoder; `classifier`: with the norm that fine-tuned models put on the tokens' mean."""

    def __init__(self, size: int = 0, frames: int = 0, classifier: bool = False, **values: Any) -> None:
        with needs_transformers("VideoMAE"):
            from transformers.models.videomae import modeling_videomae as theirs
            from transformers.models.videomae.configuration_videomae import VideoMAEConfig
        with checked_values():
            config = VideoMAEConfig.from_dict(values)
        network = theirs.VideoMAEModel(config)
        layers = {MEAN: config.hidden_size}
        if classifier and config.use_mean_pooling:
            network.add_module("fc_norm", nn.LayerNorm(config.hidden_size))
            layers[POOLED] = config.hidden_size
        super().__init__(network, layers)
        self._count_positions()

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Clips (B, 3, N, H, W) of the config's size -> `mean_tokens`, `pooled` (B, hidden_size)."""
        mean = self.network(pixel_values=clips.transpose(1, 2)).last_hidden_state.mean(dim=1)
        return {MEAN: mean, **({POOLED: self.network.fc_norm(mean)} if POOLED in self.layers else {})}

    def load_state_dict(self, state_dict: Weights, strict: bool = True, assign: bool = False) -> Any:
        """As of any module; the table of positions, which no file holds, is made again."""
        found = super().load_state_dict(state_dict, strict=strict, assign=assign)
        self._count_positions()
        return found

    def _count_positions(self) -> None:
        """The fixed sinusoids, whatever device the network is being made on."""
        from transformers.models.videomae.modeling_videomae import get_sinusoid_encoding_table

        embeddings = self.network.embeddings
        filled = not embeddings.patch_embeddings.projection.weight.is_meta
        if filled and embeddings.position_embeddings.is_meta:
            embeddings.position_embeddings = get_sinusoid_encoding_table(
                embeddings.num_patches, self.network.config.hidden_size
            )


class VJEPA2(Wrapped):
    """V-JEPA 2's encoder; `classifier`: with the attentive pooler that fine-tuned models have."""

    def __init__(self, size: int = 0, classifier: bool = False, **values: Any) -> None:
        with needs_transformers("V-JEPA 2"):
            from transformers.models.vjepa2 import modeling_vjepa2 as theirs
            from transformers.models.vjepa2.configuration_vjepa2 import VJEPA2Config
        with checked_values():
            config = VJEPA2Config.from_dict(values)
        network = theirs.VJEPA2Model(config)
        del network.predictor
        layers = {MEAN: config.hidden_size}
        if classifier:
            network.add_module("pooler", theirs.VJEPA2AttentivePooler(config))
            layers[POOLED] = config.hidden_size
        super().__init__(network, layers)

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Clips (B, 3, N, H, W), N even -> `mean_tokens`, `pooled` (B, hidden_size)."""
        tokens = self.network.encoder(pixel_values_videos=clips.transpose(1, 2)).last_hidden_state
        pooled = {POOLED: self.network.pooler(tokens)} if POOLED in self.layers else {}
        return {MEAN: tokens.mean(dim=1), **pooled}


def videomae_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Pretraining or fine-tuned files, with biases of queries and values under their old names or new."""
    return renamed(
        tensors,
        inside="videomae.",
        heads=("decoder.", "encoder_to_decoder.", "mask_token", "position_embeddings", "classifier."),
        endings={"attention.q_bias": "attention.query.bias", "attention.v_bias": "attention.value.bias"},
    )


def vjepa2_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Pretraining or fine-tuned files: the predictor and the classifier are left out."""
    return renamed(tensors, inside="vjepa2.", heads=("predictor.", "classifier."))

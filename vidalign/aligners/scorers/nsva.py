"""NSVA, a multi-sentence grounding network (Li et al., ECCV 2024; Lzq5/Video-Text-Alignment).

State-dict names are the published ones.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SECONDS = 5000
"""Rows of the table of video positions."""
SENTENCES = 1024
"""Rows of the table of sentence positions."""
FOUND = 64
"""Width of the space in which seconds and sentences are compared."""


class Attention(nn.Module):
    """Multi-head attention under the parameter names of torch's `nn.MultiheadAttention`."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, ignore: Tensor | None) -> Tensor:
        """(B, L, C), (B, S, C), (B, S, C) -> (B, L, C); `ignore` (B, S) is True at padding."""
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        q, k, v = (
            F.linear(x, w, b).view(*x.shape[:2], self.heads, -1).transpose(1, 2)
            for x, w, b in zip((query, key, value), weights, biases, strict=True)
        )
        keep = None if ignore is None else ~ignore[:, None, None, :]
        dropout = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=keep, dropout_p=dropout)
        projected: Tensor = self.out_proj(out.transpose(1, 2).flatten(2))
        return projected


class EncoderLayer(nn.Module):
    """Self-attention whose queries and keys know their places, then a feed-forward part; norms last."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads, dropout)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, places: Tensor, ignore: Tensor | None) -> Tensor:
        placed = x + places
        x = self.norm1(x + self.drop(self.self_attn(placed, placed, x, ignore)))
        out: Tensor = self.norm2(x + self.drop(self.linear2(self.drop(F.relu(self.linear1(x))))))
        return out


class DecoderLayer(nn.Module):
    """Sentences look at each other, then at the video, then a feed-forward part; norms last."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = Attention(width, heads, dropout)
        self.multihead_attn = Attention(width, heads, dropout)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)
        self.drop = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        own_places: Tensor,
        video: Tensor,
        places: Tensor,
        ignore: Tensor | None,
        video_ignore: Tensor | None,
    ) -> Tensor:
        placed = x + own_places
        x = self.norm1(x + self.drop(self.self_attn(placed, placed, x, ignore)))
        seen = self.multihead_attn(x + own_places, video + places, video, video_ignore)
        x = self.norm2(x + self.drop(seen))
        out: Tensor = self.norm3(x + self.drop(self.linear2(self.drop(F.relu(self.linear1(x))))))
        return out


class Layers(nn.Module):
    """A stack of layers, the decoder's with a norm of every layer's output."""

    def __init__(self, layers: list[EncoderLayer] | list[DecoderLayer], norm: nn.LayerNorm | None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        if norm is not None:
            self.norm = norm


class Places(nn.Module):
    """Fixed positions: sines on even, cosines on odd channels (Vaswani et al., 2017)."""

    pe: Tensor

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        channel = torch.arange(0, width, 2, dtype=torch.float64)
        angle = torch.arange(count, dtype=torch.float64)[:, None] / 10000 ** (channel / width)
        table = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
        self.register_buffer("pe", table.float()[None])


class Perceptron(nn.Module):
    """Linear layers."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))


class NSVA(nn.Module):
    """Sentences as queries of a decoder over the encoded video, one feature a second.

    `ordered`: the sentences are a narration and know their places; else they are steps in any order.
    `alignable_head` and `timestamp_head` are in the published weights, but no loss trained them.
    """

    def __init__(
        self,
        width: int = 256,
        heads: int = 8,
        hidden: int = 2048,
        video_layers: int = 3,
        text_layers: int = 3,
        video_dim: int = 768,
        text_dim: int = 768,
        ordered: bool = True,
        dropout: float = 0.1,
        seconds: int = SECONDS,
    ) -> None:
        super().__init__()
        if min(video_layers, text_layers) < 1 or width % heads or width % 2:
            raise ValueError("NSVA needs a layer on either side, and a width that its heads divide")
        shape = (width, heads, hidden, dropout)
        self.video_dim = video_dim
        self.text_dim = text_dim
        self.ordered = ordered
        self.visual_proj = nn.Sequential(nn.Linear(video_dim, width), nn.LayerNorm(width))
        self.visual_pos_enc = Places(seconds, width)
        self.text_proj = nn.Sequential(nn.Linear(text_dim, width), nn.LayerNorm(width))
        self.v_sim_proj = nn.Linear(width, FOUND)
        self.t_sim_proj = nn.Linear(width, FOUND)
        self.visual_encoder = Layers([EncoderLayer(*shape) for _ in range(video_layers)], None)
        self.text_pos_enc = nn.Embedding(SENTENCES, width)
        self.decoder = Layers([DecoderLayer(*shape) for _ in range(text_layers)], nn.LayerNorm(width))
        self.alignable_head = nn.Linear(width, 2)
        self.timestamp_head = nn.ModuleList([Perceptron(width, width // 2, width // 2, 1)])
        for layers in (self.visual_encoder, self.decoder):
            for parameter in layers.parameters():
                if parameter.dim() > 1:
                    nn.init.xavier_uniform_(parameter)

    @property
    def seconds(self) -> int:
        """The most clips that it has places for."""
        return self.visual_pos_enc.pe.shape[1]

    def encode_video(self, video: Tensor, ignore: Tensor | None = None) -> Tensor:
        """Features (B, T, video_dim), `ignore` (B, T) True at padding -> tokens (B, T, width)."""
        if video.shape[1] > self.seconds:
            raise ValueError(f"{video.shape[1]} clips asked, the table of positions has {self.seconds}")
        x: Tensor = self.visual_proj(video)
        places = self.visual_pos_enc.pe[:, : video.shape[1]]
        for layer in self.visual_encoder.layers:
            x = layer(x, places, ignore)
        return x

    def read_sentences(
        self,
        text: Tensor,
        encoded: Tensor,
        ignore: Tensor | None = None,
        video_ignore: Tensor | None = None,
    ) -> Tensor:
        """Sentence features (B, K, text_dim) and encoded video -> every layer's tokens (L, B, K, width)."""
        x, places = self.text_proj(text), self.visual_pos_enc.pe[:, : encoded.shape[1]]
        own = torch.zeros_like(x)
        if self.ordered:
            own = self.text_pos_enc(torch.arange(x.shape[1], device=x.device))[None]
        found = []
        for layer in self.decoder.layers:
            x = layer(x, own, encoded, places, ignore, video_ignore)
            found.append(self.decoder.norm(x))
        return torch.stack(found)

    def forward(
        self,
        video: Tensor,
        text: Tensor,
        video_ignore: Tensor | None = None,
        ignore: Tensor | None = None,
        *,
        across: bool = True,
    ) -> Tensor:
        """Cosines after each decoder layer, over all pairs of the batch (L, B, K, B, T).

        Video (B, T, video_dim), sentences (B, K, text_dim); masks (B, T), (B, K) True at padding. Not
        `across` samples: (L, B, K, T).
        """
        encoded = self.encode_video(video, video_ignore)
        read = self.read_sentences(text, encoded, ignore, video_ignore)
        seconds = F.normalize(self.v_sim_proj(encoded), dim=-1)
        said = F.normalize(self.t_sim_proj(read), dim=-1)
        if not across:
            return said @ seconds.mT
        return torch.einsum("lbkc,atc->lbkat", said, seconds)

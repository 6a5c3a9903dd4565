"""Temporal Alignment Network (Han, Xie, Zisserman, CVPR 2022; TengdaHan/TemporalAlignNet).

State-dict names are the published ones, with the language model called `bert`.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidalign.backbones.bert import BertText
from vidalign.backbones.word2vec import Word2VecText

POSITIONS = 1024
Starts = tuple[int, int, int]
"""Table rows where positions begin: of the dual encoder's video, of the joint one's, of the sentences."""
HEAD_STAGE = 2
"""The joint stage whose text tokens the alignability head reads, in training and evaluation."""


class Attention(nn.Module):
    """Multi-head self-attention under torch's `nn.MultiheadAttention` parameter names."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, ignore: Tensor | None) -> Tensor:
        """(B, L, C) -> (B, L, C); `ignore` (B, L) is True at padding."""
        b, length, c = x.shape
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = qkv.view(b, length, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        keep = None if ignore is None else ~ignore[:, None, None, :]
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=keep)
        projected: Tensor = self.out_proj(out.transpose(1, 2).reshape(b, length, c))
        return projected


class Feedforward(nn.Module):
    """Linear, QuickGELU, linear."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.c_fc(x)
        out: Tensor = self.c_proj(x * torch.sigmoid(1.702 * x))
        return out


class Block(nn.Module):
    """Pre-norm transformer block; gives its first norm's output beside its own."""

    def __init__(self, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.attn = Attention(width, heads)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = Feedforward(width)
        self.ln_2 = nn.LayerNorm(width)
        nn.init.normal_(self.attn.in_proj_weight, std=width**-0.5)
        nn.init.normal_(self.mlp.c_fc.weight, std=(2 * width) ** -0.5)
        for residual in (self.attn.out_proj, self.mlp.c_proj):
            nn.init.normal_(residual.weight, std=(2 * depth * width) ** -0.5)
        nn.init.zeros_(self.attn.out_proj.bias)

    def forward(self, x: Tensor, ignore: Tensor | None) -> tuple[Tensor, Tensor]:
        normed = self.ln_1(x)
        x = x + self.attn(normed, ignore)
        return x + self.mlp(self.ln_2(x)), normed


class Encoder(nn.Module):
    """L blocks give L stages (B, L, length, C): input norms of blocks 2..L, then `post_norm` of the end.

    `depth` is the number of layers that the initial weights are scaled for.
    """

    def __init__(self, width: int, heads: int, layers: int, depth: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, heads, depth) for _ in range(layers))

    def forward(self, x: Tensor, ignore: Tensor | None, post_norm: nn.LayerNorm) -> Tensor:
        stages = []
        for index, block in enumerate(self.resblocks):
            x, normed = block(x, ignore)
            if index:
                stages.append(normed)
        return torch.stack([*stages, post_norm(x)], dim=1)


def sine_positions(count: int, width: int) -> Tensor:
    """Fixed positions (count, width): sine on even, cosine on odd channels of one scaled turn."""
    angle = torch.arange(count, dtype=torch.float64) / (count - 1 + 1e-6) * 2 * math.pi
    channel = torch.arange(width, dtype=torch.float64)
    table = angle[:, None] / 10000 ** (2 * (channel // 2) / width)
    table[:, 0::2] = table[:, 0::2].sin()
    table[:, 1::2] = table[:, 1::2].cos()
    return table.float()


class TAN(nn.Module):
    """Dual and joint encoders over one video feature a second and one vector a sentence.

    `text`: word2vec (512-d) or bert (768-d). `head`: the alignability head, which needs at least
    three joint layers. With `video_layers` 0 the dual encoder is the bare similarity of projected clips and
    sentences, as MIL-NCE's. Positions start at row 0 unless `starts` says otherwise, as training may.
    """

    def __init__(
        self,
        width: int = 512,
        heads: int = 8,
        video_layers: int = 6,
        joint_layers: int = 6,
        video_dim: int = 1024,
        text_dim: int = 512,
        vocabulary: int = 66250,
        word_dim: int = 300,
        text_hidden: int = 2048,
        head: bool = True,
        text: Literal["word2vec", "bert"] = "word2vec",
        positions: Literal["learned", "sine"] = "learned",
        text_positions: bool = False,
    ) -> None:
        super().__init__()
        if video_layers < 0 or joint_layers < 1 or (head and joint_layers <= HEAD_STAGE):
            raise ValueError(f"TAN needs a joint layer, and {HEAD_STAGE + 1} of them for its head")
        self.text_positions = text_positions
        self.bert: Word2VecText | BertText
        if text == "bert":
            self.bert = BertText(vocabulary=vocabulary, width=text_dim)
        else:
            self.bert = Word2VecText(vocabulary, word_dim, text_hidden, text_dim)
        self.video_temporal_encoder = Encoder(width, heads, video_layers, joint_layers)
        self.joint_temporal_encoder = Encoder(width, heads, joint_layers, joint_layers)
        self.video_pre_proj = nn.Linear(video_dim, width, bias=False)
        self.text_pre_proj = nn.Linear(text_dim, width, bias=False)
        self.ln_text_init = nn.LayerNorm(width)
        self.ln_video_init = nn.LayerNorm(width)
        self.ln_position_init = nn.LayerNorm(width)
        self.ln_video_post_enc = nn.LayerNorm(width)
        self.ln_joint_post_enc = nn.LayerNorm(width)
        self.mlp = nn.Linear(width, width)
        if positions == "sine":
            self.register_buffer("temporal_pos_embed", sine_positions(POSITIONS, width))
        else:
            self.temporal_pos_embed = nn.Parameter(torch.empty(POSITIONS, width))
        self.text_temporal_pos_embed = nn.Parameter(torch.empty(POSITIONS, width))
        self.binary_head = nn.Linear(width, 1) if head else None
        self._initialise()

    def _initialise(self) -> None:
        heads = [self.video_pre_proj, self.text_pre_proj, self.mlp, self.binary_head]
        for linear in (h for h in heads if h is not None):
            nn.init.normal_(linear.weight, std=0.01)
            if linear.bias is not None:
                nn.init.zeros_(linear.bias)
        for table in (self.temporal_pos_embed, self.text_temporal_pos_embed):
            if isinstance(table, nn.Parameter):
                nn.init.normal_(table, std=0.01)

    def embed_text(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Token ids (K, W), mask True at real tokens (default: id > 0) -> sentence vectors (K, text_dim)."""
        pooled: Tensor = self.bert(ids, ids > 0 if mask is None else mask)
        return pooled

    def project_video(self, video: Tensor) -> Tensor:
        """Features (..., video_dim) -> normed tokens (..., width), before positions."""
        tokens: Tensor = self.ln_video_init(self.video_pre_proj(video))
        return tokens

    def project_text(self, text: Tensor) -> Tensor:
        """Sentence vectors (..., text_dim) -> normed tokens (..., width), before positions."""
        tokens: Tensor = self.ln_text_init(self.text_pre_proj(text))
        return tokens

    def positions(self, table: Tensor, length: int, interpolate_from: int | None, start: int = 0) -> Tensor:
        """Rows (length, width) of a position table; `interpolate_from` stretches that many to `length`."""
        if interpolate_from is None:
            if start + length > POSITIONS:
                wanted = start + length
                raise ValueError(f"{wanted} positions asked, the table has {POSITIONS}; use interpolate_from")
            rows = table[start : start + length]
        else:
            rows = F.interpolate(table[None, :interpolate_from].mT, size=length, mode="linear")[0].mT
        normed: Tensor = self.ln_position_init(rows)
        return normed

    def encode_video(
        self,
        tokens: Tensor,
        mask: Tensor | None = None,
        interpolate_from: int | None = None,
        start: int = 0,
    ) -> Tensor:
        """Projected video tokens (B, T, C) -> dual stages (B, L, T, C); without layers the tokens (L = 1)."""
        if not len(self.video_temporal_encoder.resblocks):
            return tokens[:, None]
        x = tokens + self.positions(self.temporal_pos_embed, tokens.shape[1], interpolate_from, start)
        stages: Tensor = self.video_temporal_encoder(x, mask, self.ln_video_post_enc)
        return stages

    def encode_joint(
        self,
        video: Tensor,
        text: Tensor,
        video_mask: Tensor | None = None,
        text_mask: Tensor | None = None,
        interpolate_from: int | None = None,
        start: int = 0,
        text_start: int = 0,
    ) -> tuple[Tensor, Tensor]:
        """Projected tokens (B, T, C), (B, N, C) -> joint stages: video (B, L, T, C), text (B, L, N, C)."""
        seconds = video.shape[1]
        video = video + self.positions(self.temporal_pos_embed, seconds, interpolate_from, start)
        if self.text_positions:
            text = text + self.positions(self.text_temporal_pos_embed, text.shape[1], None, text_start)
        ignore = None
        if video_mask is not None or text_mask is not None:
            video_mask = (
                video.new_zeros(video.shape[:2], dtype=torch.bool) if video_mask is None else video_mask
            )
            text_mask = text.new_zeros(text.shape[:2], dtype=torch.bool) if text_mask is None else text_mask
            ignore = torch.cat([video_mask, text_mask], dim=1)
        stages = self.joint_temporal_encoder(torch.cat([video, text], dim=1), ignore, self.ln_joint_post_enc)
        return stages[:, :, :seconds], stages[:, :, seconds:]

    def alignability(self, tokens: Tensor) -> Tensor:
        """Text tokens (..., C) -> logits (..., 1); raises ValueError without a head."""
        if self.binary_head is None:
            raise ValueError("this TAN has no alignability head")
        logits: Tensor = self.binary_head(tokens)
        return logits

    def forward(
        self,
        video: Tensor,
        text: Tensor,
        video_mask: Tensor | None = None,
        text_mask: Tensor | None = None,
        interpolate_from: int | None = None,
        *,
        starts: Starts = (0, 0, 0),
        across: bool = True,
        encoders: Literal["both", "dual", "joint"] = "both",
    ) -> dict[str, Tensor]:
        """Video (B, T, video_dim), sentence vectors (B, N, text_dim); masks (B, T), (B, N) True at padding.

        Returns the cosines `logits_dual`, `logits_joint`, over all pairs of the batch (B, L, T, B, N) or, not
        `across` windows, inside each (B, L, T, N); the unit features `dual_feature_video` (B, L, T, C),
        `dual_feature_text` (B, N, C); and with a head `dual_logits_alignability` (B, N, 1),
        `joint_logits_alignability` (B, L, N, 1). One of the `encoders` alone leaves the other's out.
        """
        video_tokens, text_tokens = self.project_video(video), self.project_text(text)
        outputs: dict[str, Tensor] = {}
        if encoders != "joint":
            stages = self.encode_video(video_tokens, video_mask, interpolate_from, starts[0])
            unit_video, unit_text = F.normalize(stages, dim=-1), F.normalize(text_tokens, dim=-1)
            outputs["logits_dual"] = cosines(unit_video, unit_text[:, None], across)
            outputs |= {"dual_feature_video": unit_video, "dual_feature_text": unit_text}
            if self.binary_head is not None:
                outputs["dual_logits_alignability"] = self.alignability(text_tokens)
        if encoders != "dual":
            joint_video, joint_text = self.encode_joint(
                video_tokens, text_tokens, video_mask, text_mask, interpolate_from, starts[1], starts[2]
            )
            unit_video, unit_text = F.normalize(joint_video, dim=-1), F.normalize(joint_text, dim=-1)
            outputs["logits_joint"] = cosines(unit_video, unit_text, across)
            if self.binary_head is not None:
                outputs["joint_logits_alignability"] = self.alignability(joint_text)
        return outputs


def cosines(video: Tensor, text: Tensor, across: bool) -> Tensor:
    """Unit tokens (B, L, T, C), (B, L or 1, N, C) -> (B, L, T, B, N), or (B, L, T, N) if not `across`."""
    if not across:
        return video @ text.mT
    return torch.einsum("bltc,alnc->bltan", video, text.expand(-1, video.shape[1], -1, -1))

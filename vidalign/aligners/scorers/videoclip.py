"""VideoCLIP (Xu et al., EMNLP 2021; fairseq MMPT), the network of TempCLR (Yang et al., ICLR 2023) too.

State-dict names are the published ones, without their prefix `mmmodel.`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidalign.backbones.bert import BertText

AROUND = 2
"""Tokens beside the clips in a video's sequence: [CLS] before them, [SEP] after them."""


class VideoTokens(nn.Module):
    """Clip features -> word-like vectors: linear, GELU, norm, linear."""

    def __init__(self, video_dim: int, width: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(video_dim, width)
        self.LayerNorm = nn.LayerNorm(width)
        self.linear2 = nn.Linear(width, width)

    def forward(self, video: Tensor) -> Tensor:
        tokens: Tensor = self.linear2(self.LayerNorm(F.gelu(self.linear1(video))))
        return tokens


class VideoEncoder(nn.Module):
    """A BERT over [CLS], up to `clips` clips, [SEP], whose place is the same however many clips there are."""

    def __init__(
        self, bert: BertText, video_dim: int, width: int, clips: int, marks: tuple[int, int]
    ) -> None:
        super().__init__()
        self.videomlp = VideoTokens(video_dim, width)
        self.bert = bert
        self.clips = clips
        self.marks = marks

    def forward(self, video: Tensor, mask: Tensor, see_first: bool) -> Tensor:
        count, clips, _ = video.shape
        if not 1 <= clips <= self.clips:
            raise ValueError(f"{clips} clips; this network sees 1 to {self.clips} at once")
        table = self.bert.embeddings.word_embeddings.weight
        first, last = (table[mark].expand(count, 1, -1) for mark in self.marks)
        places = torch.tensor([*range(clips + 1), self.clips + 1], device=video.device)
        tokens = torch.cat([first, self.videomlp(video), last], dim=1)
        edge = mask.new_ones(count, 1)
        keep = torch.cat([edge if see_first else ~edge, mask, edge], dim=1)
        return self.bert.encode(self.bert.embeddings.place(tokens, places), keep)


class VideoCLIP(nn.Module):
    """A video BERT over clip features and a text BERT, whose mean tokens are compared by dot product.

    `clips` is the most it sees at once, one a second as it was trained; `first` and `last` are the ids of
    [CLS] and [SEP] in the vocabulary. `dropout` acts in training alone.
    """

    def __init__(
        self,
        width: int = 768,
        heads: int = 12,
        hidden: int = 3072,
        video_layers: int = 6,
        text_layers: int = 12,
        video_dim: int = 512,
        vocabulary: int = 30522,
        positions: int = 512,
        clips: int = 32,
        first: int = 101,
        last: int = 102,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if not 1 <= clips <= positions - AROUND:
            raise ValueError(f"{clips} clips and {AROUND} marks do not go into {positions} positions")
        if not (0 <= first < vocabulary and 0 <= last < vocabulary):
            raise ValueError(f"the marks {first} and {last} are not in a vocabulary of {vocabulary}")
        shape = {"width": width, "heads": heads, "hidden": hidden, "positions": positions}
        video_bert = BertText(vocabulary=vocabulary, layers=video_layers, dropout=dropout, **shape)
        self.video_encoder = VideoEncoder(video_bert, video_dim, width, clips, (first, last))
        self.text_encoder = BertText(vocabulary=vocabulary, layers=text_layers, dropout=dropout, **shape)
        self.apply(_initialise)

    @property
    def clips(self) -> int:
        """The most clips of one sequence."""
        return self.video_encoder.clips

    @property
    def video_dim(self) -> int:
        """Width of the features it reads."""
        return self.video_encoder.videomlp.linear1.in_features

    @property
    def width(self) -> int:
        """Width of its tokens."""
        return self.text_encoder.embeddings.word_embeddings.embedding_dim

    @property
    def vocabulary(self) -> int:
        """Rows of the table of word pieces."""
        return self.text_encoder.embeddings.word_embeddings.num_embeddings

    def encode_video(self, video: Tensor, mask: Tensor, *, see_first: bool = True) -> Tensor:
        """Features (B, T, video_dim), mask (B, T) True at clips -> tokens (B, T + 2, width).

        The first token is [CLS], the last [SEP]. Without `see_first` nothing attends to [CLS], as where the
        network was made to find steps in a video (MMPT's action localization).
        """
        tokens: Tensor = self.video_encoder(video, mask, see_first)
        return tokens

    def encode_text(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Ids (K, W) of [CLS] pieces [SEP], mask True at these -> tokens (K, W, width)."""
        return self.text_encoder.encode(self.text_encoder.embeddings(ids), mask)

    def embed_clips(self, video: Tensor, mask: Tensor) -> Tensor:
        """Features (B, T, video_dim) -> (B, width): the mean of the clips' tokens and [SEP]."""
        seen = torch.cat([mask, mask.new_ones(len(mask), 1)], 1)
        return mean_tokens(self.encode_video(video, mask)[:, 1:], seen)

    def embed_seconds(self, video: Tensor, mask: Tensor) -> Tensor:
        """Features (B, T, video_dim) -> the clips' own tokens (B, T, width)."""
        return self.encode_video(video, mask, see_first=False)[:, 1:-1]

    def embed_text(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Ids (K, W) and mask as `encode_text` -> (K, width): the mean of all tokens but [CLS]."""
        return mean_tokens(self.encode_text(ids, mask)[:, 1:], mask[:, 1:])

    def forward(self, video: Tensor, video_mask: Tensor, ids: Tensor, text_mask: Tensor) -> dict[str, Tensor]:
        """B clips and their sentences -> `pooled_video` and `pooled_text` (B, width), not normalised."""
        return {
            "pooled_video": self.embed_clips(video, video_mask),
            "pooled_text": self.embed_text(ids, text_mask),
        }


def mean_tokens(tokens: Tensor, mask: Tensor) -> Tensor:
    """Mean (B, C) of the tokens (B, L, C) at the mask."""
    weights = mask.to(tokens.dtype)
    return (tokens * weights[..., None]).sum(dim=1) / weights.sum(dim=1, keepdim=True)


def _initialise(module: nn.Module) -> None:
    """BERT's initial weights."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)

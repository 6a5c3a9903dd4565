"""BERT's encoder and pooler (Devlin et al., 2019) under the tensor names of Hugging Face's `BertModel`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Embeddings(nn.Module):
    def __init__(self, vocabulary: int, width: int, positions: int, dropout: float) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocabulary, width)
        self.position_embeddings = nn.Embedding(positions, width)
        self.token_type_embeddings = nn.Embedding(2, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, ids: Tensor) -> Tensor:
        return self.place(self.word_embeddings(ids), torch.arange(ids.shape[1], device=ids.device))

    def place(self, words: Tensor, places: Tensor) -> Tensor:
        """Word vectors (B, L, C) at the rows `places` (L,) of the position table, normed."""
        x = words + self.position_embeddings(places) + self.token_type_embeddings.weight[0]
        normed: Tensor = self.dropout(self.LayerNorm(x))
        return normed


class SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        b, length, c = x.shape
        q, k, v = (
            layer(x).view(b, length, self.heads, c // self.heads).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        dropped = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=keep[:, None, None, :], dropout_p=dropped)
        return out.transpose(1, 2).reshape(b, length, c)


class Residual(nn.Module):
    """Linear, then the norm of the sum with the residual."""

    def __init__(self, cin: int, width: int, dropout: float) -> None:
        super().__init__()
        self.dense = nn.Linear(cin, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        normed: Tensor = self.LayerNorm(self.dropout(self.dense(x)) + residual)
        return normed


class Layer(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.ModuleDict(
            {"self": SelfAttention(width, heads, dropout), "output": Residual(width, width, dropout)}
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, hidden)})
        self.output = Residual(hidden, width, dropout)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        x = self.attention["output"](self.attention["self"](x, keep), x)
        out: Tensor = self.output(F.gelu(self.intermediate["dense"](x)), x)
        return out


class BertText(nn.Module):
    """Token ids -> the pooled [CLS] vector (`pooler_output`); defaults are bert-base-uncased.

    `dropout`, of tokens and of attention, acts in training alone.
    """

    def __init__(
        self,
        vocabulary: int = 30522,
        width: int = 768,
        layers: int = 12,
        heads: int = 12,
        hidden: int = 3072,
        positions: int = 512,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embeddings = Embeddings(vocabulary, width, positions, dropout)
        self.encoder = nn.ModuleDict(
            {"layer": nn.ModuleList(Layer(width, heads, hidden, dropout) for _ in range(layers))}
        )
        self.pooler = nn.ModuleDict({"dense": nn.Linear(width, width)})

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Ids (K, W) and mask (K, W), True at real tokens -> (K, width)."""
        return torch.tanh(self.pooler["dense"](self.encode(self.embeddings(ids), mask)[:, 0]))

    def encode(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """Embedded tokens (K, W, width) and their mask -> the last layer's (K, W, width)."""
        for layer in self.encoder["layer"].children():
            embedded = layer(embedded, mask)
        return embedded

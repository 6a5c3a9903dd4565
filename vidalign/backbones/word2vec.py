"""The word2vec sentence encoder that S3D and TAN share (MIL-NCE, CVPR 2020; antoine77340/S3D_HowTo100M)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Word2VecText(nn.Module):
    """Word ids -> one vector a sentence: embedding, linear, ReLU, max over the words, linear."""

    def __init__(self, vocabulary: int, word_dim: int, hidden: int, out: int) -> None:
        super().__init__()
        self.word_embd = nn.Embedding(vocabulary, word_dim)
        self.fc1 = nn.Linear(word_dim, hidden)
        self.fc2 = nn.Linear(hidden, out)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Ids (K, W) -> (K, out).

        `mask` (K, W), True at real words, limits the max to them; a row without any counts as full.
        Without a mask the padding rows take part, as in the original MIL-NCE module.
        """
        words = F.relu(self.fc1(self.word_embd(ids)))
        if mask is not None:
            mask = mask | ~mask.any(dim=1, keepdim=True)
            words = words.masked_fill(~mask[..., None], -torch.inf)
        pooled: Tensor = self.fc2(words.amax(dim=1))
        return pooled

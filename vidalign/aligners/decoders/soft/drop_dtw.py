"""Soft Drop-DTW and its drop costs, by percentile or learned (Dvornik et al., NeurIPS 2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidalign.aligners.decoders.soft.batch import by_column, by_row, checked, lengths, with_border
from vidalign.aligners.decoders.soft.lattice import Lattice, Move, path_costs, softmin

MATCH, SENTENCE, CLIP = range(3)
"""Planes."""
BOTH, NO_CLIP, NO_SENTENCE, NEITHER = range(4)
"""States of a node: whether the sentence and the clip that end there are kept."""
DROP_DTW = Lattice(
    (
        (
            *(Move(state, 1, 1, MATCH) for state in (BOTH, NO_CLIP, NO_SENTENCE, NEITHER)),
            *(Move(state, 1, 0, MATCH) for state in (BOTH, NO_SENTENCE)),
            *(Move(state, 0, 1, MATCH) for state in (BOTH, NO_CLIP)),
        ),
        (Move(BOTH, 0, 1, CLIP), Move(NO_CLIP, 0, 1, CLIP)),
        (Move(BOTH, 1, 0, SENTENCE), Move(NO_SENTENCE, 1, 0, SENTENCE)),
        (Move(NO_SENTENCE, 0, 1, CLIP), Move(NEITHER, 0, 1, CLIP)),
    ),
    start=NO_SENTENCE,
)
"""Between two matches sentences are dropped before clips, so that every alignment is one path."""


def soft_drop_dtw(
    cost: Tensor,
    sentences: float | Tensor,
    clips: float | Tensor,
    row_padding: Tensor | None = None,
    column_padding: Tensor | None = None,
    *,
    gamma: float = 0.1,
) -> Tensor:
    """Costs (B, K, T) -> softened distances (B,); gamma 0 gives `decoders.drop_dtw.drop_dtw`.

    What dropping costs is a number, (K,) or (B, K) for `sentences`, (T,) or (B, T) for `clips`. Padding is
    True in masks (B, K) and (B, T).
    """
    cost = checked(cost)
    rows, columns = lengths(cost, row_padding, column_padding)
    planes = [with_border(cost), by_row(sentences, cost), by_column(clips, cost)]
    return softmin(path_costs(DROP_DTW, planes, rows, columns, gamma), gamma)


def percentile_drop(
    cost: Tensor,
    share: float = 30.0,
    row_padding: Tensor | None = None,
    column_padding: Tensor | None = None,
) -> Tensor:
    """Drop costs (B, 1): of each matrix the percentile `share` of its cells, without padding and NaN."""
    real = cost
    if row_padding is not None:
        real = real.masked_fill(row_padding[:, :, None], torch.nan)
    if column_padding is not None:
        real = real.masked_fill(column_padding[:, None], torch.nan)
    return torch.nanquantile(real.flatten(1).float(), share / 100, dim=1, keepdim=True).to(cost.dtype)


class LearnedDrop(nn.Module):
    """Drop costs of clips: 1 - cosine with what a small network makes of the mean sentence.

    A clip that is like what these sentences never show becomes cheap to drop.
    """

    def __init__(self, width: int, hidden: int | None = None) -> None:
        super().__init__()
        hidden = hidden or width
        self.prototype = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))

    def forward(self, clips: Tensor, sentences: Tensor, row_padding: Tensor | None = None) -> Tensor:
        """Clips (B, T, width) and sentences (B, K, width) -> costs (B, T)."""
        real = torch.ones(sentences.shape[:2], device=sentences.device)
        if row_padding is not None:
            real = (~row_padding).to(sentences.dtype)
        mean = torch.einsum("bkc,bk->bc", sentences, real.to(sentences.dtype)) / real.sum(1, keepdim=True)
        return 1 - F.cosine_similarity(clips, self.prototype(mean)[:, None], dim=-1)

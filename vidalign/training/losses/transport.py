"""Contrasts by optimal transport: paragraphs with videos, clips with captions (Norton, ICLR 2024)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from vidalign.aligners.decoders.soft.transport import prompt_bucket, sinkhorn_plan


def token_similarity(
    video: Tensor, video_mask: Tensor, text: Tensor, text_mask: Tensor, alpha: float
) -> Tensor:
    """Clips' tokens (N, F, C) and captions' (M, W, C) -> (N, M): each token's softened best cosine among the
    other side's tokens, its mean over tokens, and over both sides.

    Softened by alpha * log(mean(exp(cosine / alpha))), so that long captions have no advantage. Masks (N, F),
    (M, W) are True where real. Needs N * F * M * W numbers.
    """
    cosines = torch.einsum("nfc,mwc->nmfw", F.normalize(video, dim=-1), F.normalize(text, dim=-1))
    frames, words = video_mask[:, None, :, None], text_mask[None, :, None, :]
    best_word = _soft_best(cosines, words, 3, alpha)
    best_frame = _soft_best(cosines, frames, 2, alpha)
    by_frame = _mean(best_word, video_mask[:, None])
    by_word = _mean(best_frame, text_mask[None])
    return (by_frame + by_word) / 2


def transported(similarity: Tensor, bucket: float, epsilon: float, iterations: int) -> Tensor:
    """What the best transport between the S clips and S captions of two sequences gains, of (..., S, S).

    The plan has a bucket, at the similarity that a share `bucket` of the cells does not reach, for what has
    no partner; it has no gradient. The gain is that of a clip.
    """
    matrices = similarity.flatten(0, -3)
    with torch.no_grad():
        level = prompt_bucket(matrices, bucket)
        plan = sinkhorn_plan(matrices, level, epsilon=epsilon, iterations=iterations)[:, :-1, :-1]
    return ((plan * matrices).sum((1, 2)) / similarity.shape[-1]).view(similarity.shape[:-2])


@torch.no_grad()
def rectified(similarity: Tensor, share: float, epsilon: float, iterations: int) -> Tensor:
    """Targets (N, N): 1 - `share` of each clip's own caption, the rest as transport between all of them says.

    Every row sums to 1, and nearly so does every column.
    """
    scores = similarity / epsilon
    for _ in range(iterations):
        scores = scores - scores.logsumexp(1, keepdim=True)
        scores = scores - scores.logsumexp(0, keepdim=True)
    plan = scores.softmax(1)
    own = torch.eye(len(scores), dtype=scores.dtype, device=scores.device)
    return (1 - share) * own + share * plan


def blocks(similarity: Tensor, size: int) -> Tensor:
    """Similarities (N, N) of clips in sequences of `size` -> (P, P, size, size)."""
    sequences = len(similarity) // size
    return similarity.view(sequences, size, sequences, size).transpose(1, 2)


def _soft_best(cosines: Tensor, mask: Tensor, dim: int, alpha: float) -> Tensor:
    scores = (cosines / alpha).masked_fill(~mask, -math.inf)
    count = mask.expand_as(cosines).sum(dim)
    return alpha * (scores.logsumexp(dim) - count.log())


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the last dimension where `mask`; there is such a place in each."""
    return torch.where(mask, values, 0).sum(-1) / mask.sum(-1)

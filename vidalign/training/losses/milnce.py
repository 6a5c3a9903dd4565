"""MIL-NCE: clips against bags of sentences spoken around them (Miech et al., CVPR 2020)."""

from __future__ import annotations

import torch
from torch import Tensor

from vidalign.training.losses.nce import MASKED, Quirk, masked_mean


def mil_nce(
    video: Tensor,
    text: Tensor,
    candidates: Tensor,
    *,
    temperature: float = 1.0,
    positives: Quirk = "corrected",
) -> Tensor:
    """The loss of clips (B, E) whose candidate sentences are (B, P, E), real where `candidates` (B, P).

    A clip's candidates are positives together; negatives are its pairs with other clips' sentences and its
    sentences' pairs with other clips, in one denominator. Corrected: positives are in it once, as in the
    paper; reference: twice, as in the published code. Clips without any candidate are negatives only.
    """
    scores = torch.einsum("ie,jpe->ijp", video, text).float() / temperature
    scores = scores.masked_fill(~candidates, MASKED)
    of_clips = scores.logsumexp(2)
    own = of_clips.diagonal()
    by_sentences = of_clips.T
    if positives == "corrected":
        by_sentences = by_sentences.masked_fill(
            torch.eye(len(video), dtype=torch.bool, device=video.device), MASKED
        )
    everything = torch.cat([of_clips, by_sentences], dim=1).logsumexp(1)
    return masked_mean(everything - own, candidates.any(1))

"""Where two teachers agree, their timing replaces that of the subtitles (co-training of TAN, CVPR 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from vidalign.training.losses.nce import MASKED, Quirk

AgreementKind = Literal["keep", "keep-joint", "u", "i"]


@dataclass(frozen=True, slots=True)
class AgreementRules:
    """How two teachers' labels become one target.

    `kind`: `keep` takes the union of both where their overlap reaches `iou_threshold` and the subtitle's time
    elsewhere, `keep-joint` the joint teacher's; `u` and `i` take union and intersection where, besides, both
    teachers score above the `confidence` quantile of the batch.
    """

    kind: AgreementKind = "keep"
    iou_threshold: float = 0.5
    confidence: float = 0.3
    temperature: float = 0.07
    padded_seconds: Quirk = "corrected"
    borders: Quirk = "corrected"
    undecided: Quirk = "corrected"
    single_sentence: Quirk = "corrected"


@dataclass(frozen=True, slots=True)
class Agreement:
    """The new positive pairs (B, T, N), and the share of sentences on which confident teachers agree."""

    target: Tensor
    share: Tensor


@dataclass(frozen=True, slots=True)
class Proposal:
    """One teacher's label (B, N, T) and the mean logit inside it (B, N)."""

    label: Tensor
    score: Tensor


def agree(
    dual: Tensor, joint: Tensor, spoken: Tensor, seconds: Tensor, sentences: Tensor, rules: AgreementRules
) -> Agreement:
    """New positives from the teachers' last-stage logits `dual`, `joint` (B, T, N) inside each window.

    `spoken` (B, T, N) are the positives by the subtitles' times; `seconds` (B, T), `sentences` (B, N) True
    where real.
    """
    before = spoken.mT
    durations = before.sum(-1).clamp(min=1).masked_fill(~sentences, 0)
    proposals = [propose(own.mT.float(), durations, seconds, sentences, rules) for own in (dual, joint)]
    first, second = (proposal.label for proposal in proposals)
    both, either = first & second, first | second
    overlapping = both.sum(-1) / either.sum(-1).clamp(min=1) >= rules.iou_threshold
    if rules.single_sentence == "corrected":
        overlapping = overlapping & (sentences.sum(-1, keepdim=True) > 1)
    sure = overlapping & torch.stack([_confident(p, sentences, rules) for p in proposals]).all(0)
    match rules.kind:
        case "keep":
            label = torch.where(overlapping[..., None], either, before)
        case "keep-joint":
            label = torch.where(overlapping[..., None], second, before)
        case "u":
            label = either & sure[..., None]
        case "i":
            label = both & sure[..., None]
    target = one_sentence_a_second(label, before, rules.undecided)
    return Agreement(target.mT, sure[sentences].float().mean())


def propose(
    own: Tensor, durations: Tensor, seconds: Tensor, sentences: Tensor, rules: AgreementRules
) -> Proposal:
    """The stretch of each sentence's duration that one teacher likes best; `own` (B, N, T)."""
    shares = sentence_shares(own, seconds, sentences, rules)
    lengths = seconds.sum(-1)
    if rules.padded_seconds == "reference":
        lengths = torch.full_like(lengths, seconds.shape[1])
    allowed = torch.ones_like(seconds[0])
    if rules.borders == "reference":
        allowed[[0, -1]] = False
    label = best_boxes(shares, durations, lengths, allowed)
    logits = own.masked_fill(~seconds[:, None], MASKED)
    return Proposal(label, (logits * label).sum(-1) / label.sum(-1).clamp(min=1))


def sentence_shares(own: Tensor, seconds: Tensor, sentences: Tensor, rules: AgreementRules) -> Tensor:
    """Softmax over sentences, then over seconds: each sentence has one place. (B, N, T) -> (B, N, T).

    Reference: a padded second is shared out evenly among the sentences and may win; corrected: it has none.
    """
    masked = own.masked_fill(~(seconds[:, None] & sentences[:, :, None]), MASKED)
    shares = masked.softmax(1) / rules.temperature
    if rules.padded_seconds == "corrected":
        shares = shares.masked_fill(~seconds[:, None], MASKED)
    return shares.softmax(2)


def best_boxes(shares: Tensor, durations: Tensor, lengths: Tensor, allowed: Tensor) -> Tensor:
    """(B, N, T) bool: the box of `durations` (B, N) seconds with the highest mean share.

    Boxes end within `lengths` (B,) and count only the seconds that are `allowed` (T,). Of means that are
    equal in single precision the earliest is taken.
    """
    sums = F.pad((shares * allowed).double().cumsum(-1), (1, 0))
    counts = F.pad(allowed.long().cumsum(0), (1, 0))
    t = torch.arange(shares.shape[-1], device=shares.device)
    ends = t + durations[..., None]
    fits = ends <= lengths[:, None, None]
    ends = ends.clamp(max=len(t))
    inside = sums.gather(-1, ends) - sums[..., :-1]
    means = inside / (counts[ends] - counts[:-1]).clamp(min=1)
    best = means.float().masked_fill(~fits, -1).argmax(-1, keepdim=True)
    return (t >= best) & (t < best + durations[..., None]) & allowed


def one_sentence_a_second(label: Tensor, before: Tensor, undecided: Quirk) -> Tensor:
    """Each second of `label` (B, N, T) keeps its first sentence; who loses all gets `before` back.

    Reference: so does who had none, which undoes the choice of `u` and `i`; corrected: it stays without.
    """
    kept = label & (label.cumsum(1) == 1)
    lost = ~kept.any(-1, keepdim=True)
    if undecided == "corrected":
        lost = lost & label.any(-1, keepdim=True)
    return torch.where(lost, before, kept)


def _confident(proposal: Proposal, sentences: Tensor, rules: AgreementRules) -> Tensor:
    threshold = torch.quantile(proposal.score[sentences], rules.confidence)
    return proposal.score >= threshold

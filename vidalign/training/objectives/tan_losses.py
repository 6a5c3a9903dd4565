"""From the outputs of TAN and of its teacher to the scalars that training needs (TAN, CVPR 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vidalign.aligners.scorers.tan import HEAD_STAGE
from vidalign.training.losses.agreement import agree
from vidalign.training.losses.alignability import head_loss, make_labels
from vidalign.training.losses.nce import contrast, own_window, positive_seconds
from vidalign.training.losses.selection import best_scores, best_share
from vidalign.training.objectives.tan_options import TanOptions

ENCODERS = ("dual", "joint")


@dataclass(frozen=True, slots=True)
class Spoken:
    """Who says what when in a batch of windows.

    `seconds` (B, T) and `sentences` (B, N) are True where real, `start` and `end` (B, N) are seconds of the
    window, `position` (B, N, 2) is start and end as shares of the whole video, where that is known.
    """

    seconds: Tensor
    sentences: Tensor
    start: Tensor
    end: Tensor
    position: Tensor | None = None

    @classmethod
    def of(cls, batch: Mapping[str, Tensor]) -> Spoken:
        """From a batch of `TanWindows`."""
        return cls(
            ~batch["video_padding"],
            ~batch["text_padding"],
            batch["start"],
            batch["end"],
            batch.get("position"),
        )


def tan_losses(
    outputs: Mapping[str, Tensor],
    teacher: Mapping[str, Tensor] | None,
    spoken: Spoken,
    options: TanOptions,
) -> dict[str, Tensor]:
    """Every branch of the loss, from cosines.

    `outputs` and `teacher` (in stage cotrain) are what `TAN.forward` gives. Gives `loss`, and as far as they
    apply `loss_dual`, `loss_joint` (as they count), `loss_dual_all`, `loss_joint_all` (over all sentences),
    `loss_head`, `head_accuracy`, `agreement` (share of sentences).
    """
    logits = {
        name: outputs[f"logits_{name}"].float() / options.temperature
        for name in ENCODERS
        if f"logits_{name}" in outputs
    }
    seconds = torch.ones_like(spoken.seconds) if options.padded_seconds == "reference" else spoken.seconds
    positive = positive_seconds(spoken.start, spoken.end, seconds, spoken.sentences)
    found: dict[str, Tensor] = {}
    if teacher is not None:
        positive, found["agreement"] = _taught(teacher, positive, spoken, options)
    scores = [best_scores(own_window(one)[:, -1], seconds) for one in logits.values()]
    counted = positive
    if options.loss_threshold:
        with torch.no_grad():
            counted = positive & best_share(scores, spoken.sentences, options.loss_threshold)[:, None]
    for name, one in logits.items():
        terms = contrast(one, positive, seconds, spoken.sentences)
        found[f"loss_{name}"] = terms.mean(counted)
        if options.loss_threshold:
            found[f"loss_{name}_all"] = terms.mean(positive).detach()
    loss = torch.stack([found[f"loss_{name}"] for name in logits]).mean()
    loss = loss * (options.policy == "all")
    if options.head:
        with torch.no_grad():
            labels = make_labels(scores, spoken.sentences, spoken.position)
        found["loss_head"], found["head_accuracy"] = head_loss(
            outputs["joint_logits_alignability"][:, HEAD_STAGE, :, 0].float(),
            labels,
            positive.any(1),
            options.head_labels or options.quirks,
        )
        loss = loss + options.head * found["loss_head"]
    return {"loss": loss, **found}


@torch.no_grad()
def _taught(
    teacher: Mapping[str, Tensor], positive: Tensor, spoken: Spoken, options: TanOptions
) -> tuple[Tensor, Tensor]:
    """The positives that the teacher's two encoders agree on, and how often they do."""
    dual, joint = (
        own_window(teacher[f"logits_{name}"])[:, -1].float() / options.temperature for name in ENCODERS
    )
    agreed = agree(dual, joint, positive, spoken.seconds, spoken.sentences, options.agreement_rules())
    return agreed.target, agreed.share

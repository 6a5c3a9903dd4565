from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vidalign.errors import DataError
from vidalign.training.losses.alignability import Labels, head_loss, make_labels

DUAL = torch.tensor([[1.0, 2.0, 3.0, 4.0, 99.0]])
JOINT = torch.tensor([[1.0, 4.0, 2.0, 3.0, 99.0]])
SENTENCES = torch.tensor([[True, True, True, True, False]])


def test_labels_are_what_both_encoders_say() -> None:
    labels = make_labels([DUAL, JOINT], SENTENCES, None)
    assert labels.known.tolist() == [[True, False, False, True, False]]
    assert labels.alignable.tolist() == [[False, False, False, True, False]]


def test_what_is_said_at_the_ends_of_a_video_is_not_alignable() -> None:
    middles = torch.tensor([[0.5, 0.1, 0.5, 0.9, 0.5]])
    labels = make_labels([DUAL, JOINT], SENTENCES, torch.stack([middles - 0.05, middles + 0.05], -1))
    assert labels.known.tolist() == [[True, True, False, True, False]]
    assert not labels.alignable.any()


def case(logits: list[float], alignable: list[bool], known: list[bool]) -> tuple[Tensor, Labels, Tensor]:
    """Logits, labels, and that every sentence has a positive second."""
    labels = Labels(torch.tensor([alignable]), torch.tensor([known]))
    return torch.tensor([logits]), labels, torch.ones(1, len(logits), dtype=torch.bool)


def test_both_kinds_of_label_weigh_the_same() -> None:
    logits, labels, learning = case(
        [0.5, -1.0, 2.0, 7.0], [True, False, False, True], [True, True, True, False]
    )
    loss, right = head_loss(logits, labels, learning, "corrected")
    weight = 3 - 1
    alignable, others = math.log1p(math.exp(-0.5)), math.log1p(math.exp(-1)) + math.log1p(math.exp(2))
    assert loss.item() == pytest.approx((weight * alignable + others) / 3)
    assert right.item() == pytest.approx(2 / 3)
    assert head_loss(logits, labels, learning, "reference")[0].item() == pytest.approx(loss.item())


def test_quirk_a_sentence_without_positive_seconds() -> None:
    logits, labels, learning = case([0.5, -1.0, 2.0], [True, False, False], [True, True, True])
    learning[0, 2] = False
    with pytest.raises(DataError, match="no positive second") as refused:
        head_loss(logits, labels, learning, "reference")
    assert "head_labels: corrected" in refused.value.hint
    without, _ = head_loss(
        logits[:, :2], Labels(labels.alignable[:, :2], labels.known[:, :2]), learning[:, :2], "corrected"
    )
    assert head_loss(logits, labels, learning, "corrected")[0].item() == pytest.approx(without.item())


def test_quirk_a_batch_without_an_alignable_sentence() -> None:
    logits, labels, learning = case([0.5, -1.0], [False, False], [True, True])
    assert not head_loss(logits, labels, learning, "reference")[0].isfinite()
    assert head_loss(logits, labels, learning, "corrected")[0].item() == 0


@pytest.mark.parametrize("alignable", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_without_a_contrast_nothing_is_learned(alignable: bool, known: bool) -> None:
    logits, labels, learning = case([0.5, -1.0], [alignable] * 2, [known] * 2)
    logits.requires_grad_()
    loss, _ = head_loss(logits, labels, learning, "corrected")
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.item() == 0
    assert not gradient.any()

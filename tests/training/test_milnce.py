from __future__ import annotations

import math

import pytest
import torch

from vidalign.training.losses.milnce import mil_nce

VIDEO = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
TEXT = torch.tensor([[[2.0, 1.0], [1.0, 0.0]], [[0.0, 3.0], [9.0, 9.0]]])
REAL = torch.tensor([[True, True], [True, False]])


@pytest.mark.parametrize(("positives", "times"), [("corrected", 1), ("reference", 2)])
def test_two_clips_worked_by_hand(positives: str, times: int) -> None:
    e = math.exp
    own = [e(2) + e(1), e(3)]
    others_sentences = [e(0), e(1) + e(0)]
    other_clip = [e(1) + e(0), e(0)]
    wanted = [
        math.log((times * mine + theirs + clip) / mine)
        for mine, theirs, clip in zip(own, others_sentences, other_clip, strict=True)
    ]
    loss = mil_nce(VIDEO, TEXT, REAL, positives=positives)  # type: ignore[arg-type]
    assert loss.item() == pytest.approx(sum(wanted) / 2, abs=1e-6)


def test_the_temperature_divides() -> None:
    cold = mil_nce(VIDEO, TEXT, REAL, temperature=0.5)
    assert cold.item() == pytest.approx(mil_nce(VIDEO * 2, TEXT, REAL).item(), abs=1e-6)


def test_a_clip_without_sentences_is_a_negative_only() -> None:
    silent = torch.cat([REAL, torch.zeros(1, 2, dtype=torch.bool)])
    video = torch.cat([VIDEO, torch.tensor([[0.5, 0.5]])])
    text = torch.cat([TEXT, torch.full((1, 2, 2), 50.0)])
    e = math.exp
    first = (e(2) + e(1) + e(0) + e(1) + e(0) + e(1.5) + e(0.5)) / (e(2) + e(1))
    second = (e(3) + e(1) + e(0) + e(0) + e(1.5)) / e(3)
    assert mil_nce(video, text, silent).item() == pytest.approx((math.log(first) + math.log(second)) / 2)


def test_nothing_said_at_all_costs_nothing() -> None:
    video = VIDEO.clone().requires_grad_()
    loss = mil_nce(video, TEXT, torch.zeros(2, 2, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert video.grad is not None
    assert not video.grad.any()

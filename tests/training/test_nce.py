from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vidalign.training.losses.nce import contrast, own_window, positive_seconds


def real(*shape: int) -> Tensor:
    return torch.ones(shape, dtype=torch.bool)


def batch(seed: int, windows: int = 2, stages: int = 2, seconds: int = 5, sentences: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(windows, stages, seconds, windows, sentences, generator=generator)


@pytest.mark.parity
def test_positive_seconds_are_the_references(golden: Path) -> None:
    data = json.loads((golden / "tan_loss.json").read_text())
    counts = data["shapes"]["N_per_sample"]
    start, end = torch.zeros(3, 5), torch.full((3, 5), 16.0)
    for row, (first, last) in enumerate(zip(data["start"], data["end"], strict=True)):
        start[row, : len(first)], end[row, : len(last)] = torch.tensor(first), torch.tensor(last)
    sentences = torch.arange(5) < torch.tensor(counts)[:, None]
    found = positive_seconds(start, end, real(3, 16), sentences)
    assert found.mT.int().tolist() == data["positive_mask_B_N_T"]


def test_padding_is_never_positive() -> None:
    seconds, sentences = torch.tensor([[True, True, False]]), torch.tensor([[True, False]])
    found = positive_seconds(torch.zeros(1, 2), torch.full((1, 2), 9.0), seconds, sentences)
    assert found[0].tolist() == [[True, False], [True, False], [False, False]]


def test_a_window_worked_by_hand() -> None:
    scores = torch.tensor([[1.0, 0.0], [2.0, 3.0], [0.0, 1.0]])
    positive = torch.tensor([[True, False], [True, False], [False, False]])
    terms = contrast(scores[None, None], positive[None], real(1, 3), real(1, 2))
    e = math.exp
    of_seconds = [math.log((e(1) + 1) / e(1)), math.log((e(2) + e(3)) / e(2))]
    of_sentence = math.log((e(1) + e(2) + 1) / (e(1) + e(2)))
    assert terms.seconds[0, 0, :2].tolist() == pytest.approx(of_seconds)
    assert terms.sentences[0, 0, 0].item() == pytest.approx(of_sentence, abs=1e-6)
    wanted = (sum(of_seconds) / 2 + of_sentence) / 2
    assert terms.mean(positive[None]).item() == pytest.approx(wanted)


def naive(logits: Tensor, positive: Tensor) -> float:
    """Both directions over all pairs of the batch, one sum at a time."""
    windows, stages, seconds, _, sentences = logits.shape
    rows: list[float] = []
    columns: list[float] = []
    every = [(a, t) for a in range(windows) for t in range(seconds)]
    said = [(b, n) for b in range(windows) for n in range(sentences)]
    for stage in range(stages):
        value = {(r, c): math.exp(logits[r[0], stage, r[1], *c]) for r in every for c in said}
        own = {(r, c) for r in every for c in said if r[0] == c[0] and positive[r[0], r[1], c[1]]}
        for r in every:
            if matched := [value[r, c] for c in said if (r, c) in own]:
                rows.append(math.log(sum(value[r, c] for c in said) / sum(matched)))
        for c in said:
            if matched := [value[r, c] for r in every if (r, c) in own]:
                columns.append(math.log(sum(value[r, c] for r in every) / sum(matched)))
    return (sum(rows) / len(rows) + sum(columns) / len(columns)) / 2


@pytest.mark.parametrize("seed", range(3))
def test_over_a_batch_it_is_what_the_formula_says(seed: int) -> None:
    logits = batch(seed)
    positive = torch.rand(2, 5, 3, generator=torch.Generator().manual_seed(seed)) < 0.3
    found = contrast(logits, positive, real(2, 5), real(2, 3)).mean(positive)
    assert found.item() == pytest.approx(naive(logits, positive), abs=1e-5)


def test_windows_alone_have_negatives_of_their_own_only() -> None:
    logits = batch(4)
    positive = positive_seconds(
        torch.tensor([[0, 2, 3]] * 2), torch.tensor([[2, 3, 5]] * 2), real(2, 5), real(2, 3)
    )
    own = own_window(logits)
    alone = contrast(own, positive, real(2, 5), real(2, 3))
    for window in range(2):
        one = slice(window, window + 1)
        by_itself = contrast(logits[one, ..., one, :], positive[one], real(1, 5), real(1, 3))
        torch.testing.assert_close(alone.seconds[one], by_itself.seconds)
        torch.testing.assert_close(alone.sentences[one], by_itself.sentences)
    across = contrast(logits, positive, real(2, 5), real(2, 3))
    assert (across.sentences > alone.sentences).all()


@pytest.mark.parametrize("across", [True, False])
def test_padding_takes_no_part(across: bool) -> None:
    logits = batch(5)
    start, end = torch.tensor([[0, 2, 2]] * 2), torch.tensor([[2, 3, 9]] * 2)
    seconds = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    sentences = torch.tensor([[True] * 3, [True] * 2 + [False]])
    positive = positive_seconds(start, end, seconds, sentences)

    def loss(values: Tensor) -> float:
        values = values if across else own_window(values)
        return contrast(values, positive, seconds, sentences).mean(positive).item()

    rubbish = logits.clone()
    rubbish[1, :, 3:], rubbish[:, :, :, 1, 2] = 50.0, -20.0
    assert loss(rubbish) == pytest.approx(loss(logits), abs=1e-6)
    rubbish[1, :, 0] = 50.0
    assert loss(rubbish) != pytest.approx(loss(logits), abs=1e-2)


def test_without_any_positive_the_loss_is_zero_and_so_is_its_gradient() -> None:
    logits = batch(6).requires_grad_()
    nothing = torch.zeros(2, 5, 3, dtype=torch.bool)
    loss = contrast(logits, nothing, real(2, 5), real(2, 3)).mean(nothing)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.item() == 0
    assert not gradient.any()

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from vidalign.training.losses.agreement import (
    Agreement,
    AgreementRules,
    agree,
    best_boxes,
    one_sentence_a_second,
    propose,
    sentence_shares,
)

SECONDS = 8


def liking(*places: tuple[int, int], seconds: int = SECONDS) -> Tensor:
    """Logits (1, T, N) of a teacher that likes seconds [first, last) for each sentence."""
    own = torch.zeros(1, seconds, len(places))
    for n, (first, last) in enumerate(places):
        own[0, first:last, n] = 9
    return own


def spoken(*places: tuple[int, int], seconds: int = SECONDS) -> Tensor:
    """Positives (1, T, N) of sentences spoken in [first, last)."""
    return liking(*places, seconds=seconds) > 0


def everything(positive: Tensor) -> tuple[Tensor, Tensor]:
    """All seconds and all sentences are real."""
    return torch.ones(1, positive.shape[1], dtype=torch.bool), torch.ones(
        1, positive.shape[2], dtype=torch.bool
    )


def agreed(dual: Tensor, joint: Tensor, before: Tensor, **rules: Any) -> Agreement:
    return agree(dual, joint, before, *everything(before), AgreementRules(**rules))


def places(found: Agreement) -> list[list[int]]:
    """The seconds of each sentence."""
    return [column.nonzero().flatten().tolist() for column in found.target[0].T]


def test_where_the_teachers_agree_the_time_is_theirs() -> None:
    before = spoken((0, 3), (5, 7))
    dual = liking((1, 4), (5, 7))
    joint = liking((2, 5), (2, 4))
    found = agreed(dual, joint, before)
    assert places(found) == [[1, 2, 3, 4], [5, 6]]


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [("keep", [1, 2, 3, 4], [6]), ("keep-joint", [2, 3, 4], [6]), ("u", [1, 2, 3, 4], []), ("i", [2, 3], [])],
)
def test_kinds(kind: str, first: list[int], second: list[int]) -> None:
    dual, joint = liking((1, 4), (6, 7)), liking((2, 5), (0, 1))
    found = agreed(dual, joint, spoken((0, 3), (6, 7)), kind=kind, confidence=0.0)
    assert places(found) == [first, second]


@pytest.mark.parametrize(("threshold", "taken"), [(0.5, True), (0.51, False)])
def test_the_overlap_must_reach_the_threshold(threshold: float, taken: bool) -> None:
    dual, joint = liking((1, 4), (0, 1)), liking((2, 5), (0, 1))
    found = agreed(dual, joint, spoken((5, 8), (0, 1)), iou_threshold=threshold)
    assert places(found) == [[1, 2, 3, 4] if taken else [5, 6, 7], [0]]


def test_u_and_i_want_both_teachers_to_be_confident() -> None:
    before = spoken((0, 2), (3, 5), (6, 8))
    sure = liking((0, 2), (3, 5), (6, 8))
    unsure = sure.clone()
    unsure[..., 2] *= 0.5
    assert places(agreed(sure, unsure, before, kind="u")) == [[0, 1], [3, 4], []]
    assert places(agreed(sure, sure, before, kind="u")) == [[0, 1], [3, 4], [6, 7]]
    assert agreed(sure, unsure, before).share.item() == pytest.approx(2 / 3)


def test_quirk_undecided_sentences_get_their_times_back() -> None:
    before, dual, joint = spoken((0, 2), (3, 5)), liking((0, 2), (3, 5)), liking((0, 2), (6, 8))
    as_published = agreed(dual, joint, before, kind="u", confidence=0.0, undecided="reference")
    assert places(as_published) == [[0, 1], [3, 4]]
    assert places(agreed(dual, joint, before, kind="u", confidence=0.0)) == [[0, 1], []]


def test_quirk_borders() -> None:
    before, taught = spoken((3, 5), (3, 5)), liking((0, 2), (6, 8))
    assert places(agreed(taught, taught, before, borders="reference")) == [[1], [6]]
    assert places(agreed(taught, taught, before)) == [[0, 1], [6, 7]]


def test_quirk_a_sentence_alone_in_its_window() -> None:
    before, taught = spoken((3, 5)), liking((4, 6))
    assert places(agreed(taught, taught, before, single_sentence="reference")) == [[0, 1]]
    assert places(agreed(taught, taught, before)) == [[3, 4]]


def test_quirk_padded_seconds_may_win() -> None:
    own = torch.zeros(1, SECONDS, 3)
    own[0, :4, 0], own[0, :4, 1] = 3.0, 3.0
    seconds = torch.arange(SECONDS)[None] < 4
    sentences = torch.ones(1, 3, dtype=torch.bool)
    shares = sentence_shares(own.mT, seconds, sentences, AgreementRules(padded_seconds="reference"))
    assert shares[0, 2].argmax() >= 4
    shares = sentence_shares(own.mT, seconds, sentences, AgreementRules())
    assert shares[0, 2].argmax() < 4
    assert not shares[0, :, 4:].any()
    durations = torch.full((1, 3), 2)
    published = propose(own.mT, durations, seconds, sentences, AgreementRules(padded_seconds="reference"))
    assert published.label[0, 2, 4:].any()
    assert published.score[0, 2] < published.score[0, :2].min() - 1e4
    before = spoken((0, 2), (2, 4), (1, 3)) & seconds[:, :, None]
    target = {
        quirk: agree(own, own, before, seconds, sentences, AgreementRules(padded_seconds=quirk)).target
        for quirk in ("reference", "corrected")
    }
    assert target["reference"][0, 4:].any()
    assert not target["corrected"][0, 4:].any()


def test_padded_sentences_get_nothing_and_take_nothing() -> None:
    before = spoken((0, 3), (5, 7), (0, 0))
    taught = liking((1, 4), (4, 6), (0, 8))
    real = torch.tensor([[True, True, False]])
    whole = torch.ones(1, SECONDS, dtype=torch.bool)
    found = agree(taught, taught, before, whole, real, AgreementRules())
    assert places(found) == [[1, 2, 3], [4, 5], []]


def test_each_second_keeps_its_first_sentence() -> None:
    label = spoken((0, 4), (2, 6), (3, 4)).mT
    before = spoken((0, 1), (1, 2), (6, 8)).mT
    kept = one_sentence_a_second(label, before, "corrected")
    assert [row.nonzero().flatten().tolist() for row in kept[0]] == [[0, 1, 2, 3], [4, 5], [6, 7]]


@pytest.mark.parametrize("seed", range(3))
def test_boxes_are_the_best_of_all(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    shares = torch.rand(2, 4, SECONDS, generator=generator)
    durations = torch.randint(1, 5, (2, 4), generator=generator)
    lengths = torch.tensor([SECONDS, 6])
    found = best_boxes(shares, durations, lengths, torch.ones(SECONDS, dtype=torch.bool))
    for b in range(2):
        for n in range(4):
            length = int(durations[b, n])
            starts = range(int(lengths[b]) - length + 1)
            best = max(starts, key=lambda s: shares[b, n, s : s + length].mean().item())
            assert found[b, n].nonzero().flatten().tolist() == list(range(best, best + length))

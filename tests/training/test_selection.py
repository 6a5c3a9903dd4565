from __future__ import annotations

import pytest
import torch

from vidalign.training.losses.selection import best_scores, best_share, standardise


def test_the_best_second_of_a_sentence_is_a_real_one() -> None:
    own = torch.tensor([[[1.0, 5.0], [3.0, 2.0], [9.0, 9.0]]])
    seconds = torch.tensor([[True, True, False]])
    assert best_scores(own, seconds).tolist() == [[3, 5]]


def test_standardised_by_the_unbiased_deviation() -> None:
    assert standardise(torch.tensor([1.0, 2.0, 3.0])).tolist() == [-1, 0, 1]
    assert standardise(torch.tensor([4.0, 4.0])).tolist() == [0, 0]
    assert standardise(torch.tensor([4.0])).tolist() == [0]


def test_encoders_count_alike_whatever_their_scale() -> None:
    dual = torch.tensor([[0.0, 1.0, 2.0, 3.0]])
    joint = torch.tensor([[200.0, 0.0, 100.0, 100.0]])
    everyone = torch.ones(1, 4, dtype=torch.bool)
    assert best_share([dual, joint], everyone, 0.5).tolist() == [[False, False, True, True]]
    assert best_share([dual + joint], everyone, 0.5).tolist() == [[True, False, False, True]]


@pytest.mark.parametrize(("share", "kept"), [(0.25, 1), (0.5, 2), (1.0, 4)])
def test_a_share_of_the_real_sentences_is_kept(share: float, kept: int) -> None:
    scores = torch.tensor([[1.0, 4.0, 99.0], [3.0, 2.0, 99.0]])
    sentences = torch.tensor([[True, True, False], [True, True, False]])
    found = best_share([scores], sentences, share)
    assert found.sum() == kept
    assert found[0, 1]
    assert not found[:, 2].any()


def test_one_sentence_alone_is_kept() -> None:
    assert best_share([torch.tensor([[2.0]])], torch.ones(1, 1, dtype=torch.bool), 0.5).all()

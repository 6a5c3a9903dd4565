from __future__ import annotations

import numpy as np
import pytest

from vidalign.evaluation.ranks import ranks_of, retrieval_metrics


def published(similarity: np.ndarray) -> np.ndarray:
    """Where the right answer stands in each sorted row, once for every equal one."""
    ordered = np.sort(-similarity, axis=1)
    return np.nonzero(ordered + np.diagonal(similarity)[:, None] == 0)[1]


def test_ranks_by_hand() -> None:
    similarity = np.array([[3.0, 1.0, 2.0], [5.0, 4.0, 6.0], [1.0, 0.0, 2.0]])
    ranks = ranks_of(similarity)
    assert ranks.better.tolist() == [0, 2, 0]
    found = retrieval_metrics(ranks)
    assert found == {"recall_1": 2 / 3, "recall_5": 1.0, "recall_10": 1.0, "median_rank": 1.0}
    assert retrieval_metrics(ranks, np.array([1, 1, 0]))["median_rank"] == 3.0


def test_ties_get_the_chance_of_a_random_order() -> None:
    """A model that says nothing has the recall and the median rank of a blind guess."""
    blind = ranks_of(np.zeros((20, 20)))
    fair = retrieval_metrics(blind)
    assert fair["recall_1"] == pytest.approx(1 / 20)
    assert fair["recall_10"] == pytest.approx(10 / 20)
    assert fair["median_rank"] == 10.5


def test_the_published_way_counts_a_query_once_for_every_tie() -> None:
    similarity = np.zeros((8, 8))
    similarity[0, 0] = 1.0  # one query is found; the other seven are blind
    wanted = published(similarity)
    found = retrieval_metrics(ranks_of(similarity), rule="reference")
    assert found["recall_1"] == pytest.approx((wanted == 0).mean())
    assert found["recall_5"] == pytest.approx((wanted < 5).mean())
    assert found["median_rank"] == np.median(wanted) + 1
    assert retrieval_metrics(ranks_of(similarity))["recall_1"] == pytest.approx((1 + 7 / 8) / 8)
    assert found["recall_1"] == pytest.approx(8 / 57)


@pytest.mark.parametrize("levels", [3, 1000])
def test_the_published_way_on_random_scores(levels: int) -> None:
    similarity = np.random.default_rng(levels).integers(0, levels, (40, 40)).astype(float)
    wanted = published(similarity)
    found = retrieval_metrics(ranks_of(similarity), rule="reference")
    for k in (1, 5, 10):
        assert found[f"recall_{k}"] == pytest.approx((wanted < k).mean())
    assert found["median_rank"] == np.median(wanted) + 1

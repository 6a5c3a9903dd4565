from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vidalign.aligners.windowing import Window
from vidalign.evaluation.htm_align import WindowScores, evaluate
from vidalign.evaluation.metrics import interval_iou, roc_auc


@pytest.fixture(scope="module")
def case(golden: Path) -> dict[str, Any]:
    return json.loads((golden / "tan_eval_windows.json").read_text())


def closed_form_model(lengths: dict[str, int], *, head: bool) -> Callable[[str, Window], WindowScores]:
    """The feature and similarity rules that the golden file states."""

    def score(video: str, window: Window) -> WindowScores:
        total = lengths[video]
        n = np.arange(total * 6, dtype=np.float64).reshape(total, 6)
        features = np.sin(0.11 * n + 0.5 * 3) * np.linspace(1, 2, total)[:, None]
        clips = F.normalize(torch.from_numpy(features.astype(np.float32))[window.start : window.stop], dim=-1)
        k = window.sentences + 3 * len(video) + ord(video[0])
        words = np.sin(0.3 * k[:, None] * np.arange(1, 7)).astype(np.float32)
        text = F.normalize(torch.from_numpy(words), dim=-1)
        dual = text @ clips.T / 0.07
        joint = text @ (clips * torch.linspace(0.5, 1, len(clips))[:, None]).T / 0.07
        logits = (joint.amax(dim=1) * 3).numpy() if head else None
        return WindowScores(joint.numpy(), dual.numpy(), logits)

    return score


@pytest.mark.parity
@pytest.mark.parametrize("which", ["head", "nohead"])
def test_the_reference_s_recall_auc_and_scores(case: dict[str, Any], which: str) -> None:
    model = closed_form_model(case["feature_lengths"], head=which == "head")
    found = evaluate(case["annotation"], case["feature_lengths"], model)
    wanted = case["results"][which]
    assert found.labels == tuple(wanted["align_tgt"])
    assert np.abs(np.array(found.scores) - wanted["align_score"]).max() <= 1e-5
    assert found.recall == pytest.approx(wanted["Recall"], abs=1e-12)
    assert found.auc == pytest.approx(wanted["AUC"], abs=1e-12)


def test_roc_auc_counts_pairs_and_ties_half() -> None:
    labels, scores = [1, 0, 1, 0, 0], [0.9, 0.9, 0.4, 0.1, 0.6]
    pairs = [(1.0 if p > n else 0.5 if p == n else 0.0) for p in (0.9, 0.4) for n in (0.9, 0.1, 0.6)]
    assert roc_auc(labels, scores) == pytest.approx(np.mean(pairs))
    assert np.isnan(roc_auc([1, 1], [0.1, 0.2]))


def test_interval_iou() -> None:
    found = interval_iou([[0, 4], [0, 1], [np.nan, np.nan]], [[2, 6], [5, 6], [0, 1]])
    assert found.tolist() == pytest.approx([2 / 6, 0, 0])

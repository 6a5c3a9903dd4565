"""Scores of the finished model on generated videos, through the same classes that `vidalign align` uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
import torch
from footage import Footage
from numpy.typing import NDArray
from torch import Tensor

from vidalign.aligners.decoders.peak import peak
from vidalign.aligners.registry import SIMILARITY_WORDS
from vidalign.aligners.scorers.windowed_tan import TanScorer
from vidalign.aligners.tokens import DictionaryTokens
from vidalign.aligners.windowing import Windowing
from vidalign.backbones.s3d import S3D
from vidalign.evaluation.metrics import interval_iou, roc_auc
from vidalign.types import Features, Sentence
from vidalign.weights.cards import Calibration


@dataclass(frozen=True)
class Outcome:
    """Pooled over sentences: the labels, the head's logits, and for alignable ones whether the peak hits."""

    labels: NDArray[np.bool_]
    logits: NDArray[np.float64]
    hits: NDArray[np.bool_]
    overlaps: NDArray[np.float64]


def sentences_of(footage: Footage) -> list[Sentence]:
    """The narration, one sentence a cue."""
    return [
        Sentence(cue.text, cue.start / 1000, cue.end / 1000, index, index)
        for index, cue in enumerate(footage.sample.narration)
    ]


def hit(best: int, start: float, end: float) -> bool:
    """R@1 of HTM-Align."""
    return floor(start) <= best <= ceil(end)


def run(scorer: TanScorer, footage: Sequence[Footage], features: Sequence[Tensor]) -> Outcome:
    """Score every video's own narration."""
    labels, logits, hits, overlaps = [], [], [], []
    for item, vectors in zip(footage, features, strict=True):
        seconds = np.arange(len(vectors), dtype=np.float64)
        times = np.stack([seconds, seconds + 1], axis=1)
        halves = vectors.numpy().astype(np.float16)
        scores = scorer.score(Features(halves, times), sentences_of(item), Windowing())
        segments = peak(scores.similarity, times)
        assert scores.head is not None
        logits.extend(scores.head)
        for row, similarity, segment in zip(item.sample.truth, scores.similarity, segments, strict=True):
            labels.append(bool(row.alignable))
            if row.alignable:
                hits.append(hit(int(np.nanargmax(similarity)), row.start, row.end))
                overlaps.append(interval_iou([segment], [(row.start, row.end)])[0])
    return Outcome(np.array(labels), np.array(logits, np.float64), np.array(hits), np.array(overlaps))


def alignability(outcome: Outcome, a: float, b: float) -> NDArray[np.float64]:
    """sigmoid(a * logit + b)."""
    return np.asarray(1 / (1 + np.exp(-(a * outcome.logits + b))))


def summary(outcome: Outcome, calibration: Calibration) -> dict[str, float]:
    """The numbers that the README of the recipe gives."""
    labelled = alignability(outcome, calibration.a, calibration.b) >= calibration.threshold
    return {
        "R@1": round(float(outcome.hits.mean()), 4),
        "label accuracy": round(float((labelled == outcome.labels).mean()), 4),
        "ROC-AUC": round(roc_auc(outcome.labels, outcome.logits), 4),
        "mean IoU": round(float(outcome.overlaps.mean()), 4),
        "sentences": len(outcome.labels),
        "alignable": int(outcome.labels.sum()),
    }


@torch.inference_mode()
def baseline_recalls(
    footage: Sequence[Footage], embeddings: Sequence[Tensor], backbone: S3D, words: Sequence[str]
) -> dict[str, float]:
    """R@1 of the subtitle times as they stand, and of the plain dot product of clips and sentences."""
    times, plain = [], []
    tokens = DictionaryTokens(words, length=SIMILARITY_WORDS, unknown="drop")
    for item, vectors in zip(footage, embeddings, strict=True):
        ids, _ = tokens([cue.text for cue in item.sample.narration])
        similarity = backbone.text_module(torch.from_numpy(ids)) @ vectors.T
        for cue, row, scores in zip(item.sample.narration, item.sample.truth, similarity, strict=True):
            if row.alignable:
                times.append(hit(floor((cue.start + cue.end) / 2000), row.start, row.end))
                plain.append(hit(int(scores.argmax()), row.start, row.end))
    return {
        "subtitle times": round(float(np.mean(times)), 4),
        "plain similarity": round(float(np.mean(plain)), 4),
    }

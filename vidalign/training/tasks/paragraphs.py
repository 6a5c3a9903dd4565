"""Validation by whole videos: found among each other by their paragraphs (TempCLR, ICLR 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vidalign.aligners.scorers.windowed_videoclip import VideoClipScorer
from vidalign.evaluation.annotations import TruthRow
from vidalign.evaluation.full_video import MEASURES, Score, video_distances
from vidalign.evaluation.ranks import ranks_of, retrieval_metrics
from vidalign.store.features import read_features


def paragraph_recalls(
    scorer: VideoClipScorer, videos: Sequence[tuple[Path, Sequence[TruthRow]]]
) -> dict[str, float]:
    """R@1 by each measure, of a paragraph's video among all; nothing where there is one video or none.

    Paragraphs are the sentences that can be seen, videos the clips that show them: no background.
    """
    texts, clips = [], []
    for path, rows in videos:
        seen = [row for row in rows if row.alignable]
        values = read_features(path).features
        spans = [(int(row.start), min(len(values), int(np.ceil(row.end)))) for row in seen]
        kept = [n for n, (start, end) in enumerate(spans) if start < end]
        if kept:
            texts.append(scorer.embed_texts([seen[n].text for n in kept]))
            clips.append(np.stack([scorer.embed_segment(values[slice(*spans[n])]) for n in kept]))
    if len(texts) < 2:
        return {}
    score: Score = "dot" if scorer.score_name == "dot" else "cosine"
    found = {}
    for measure in MEASURES:
        ranks = ranks_of(-video_distances(texts, clips, measure, score=score))
        found[f"retrieval_{measure}"] = retrieval_metrics(ranks)["recall_1"]
    return found

"""Validation by whole videos: found among each other by their paragraphs (TempCLR, ICLR 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidalign.aligners.decoders.peak import clip_cells
from vidalign.aligners.scorers.windowed_videoclip import VideoClipScorer
from vidalign.evaluation.annotations import TruthRow
from vidalign.evaluation.full_video import MEASURES, video_distances
from vidalign.evaluation.full_video_files import default_score, span_vectors, spans_of
from vidalign.evaluation.ranks import ranks_of, retrieval_metrics
from vidalign.store.features import read_features
from vidalign.types import Sentence


def paragraph_recalls(
    scorer: VideoClipScorer, videos: Sequence[tuple[Path, Sequence[TruthRow]]]
) -> dict[str, float]:
    """R@1 by each measure, of a paragraph's video among all; nothing where there is one video or none.

    Paragraphs are the sentences that can be seen, videos the clips that show them: no background.
    """
    texts, clips = [], []
    for path, rows in videos:
        features = read_features(path)
        seen = _seen(rows, float(clip_cells(features.times)[-1, 1]))
        if seen:
            texts.append(scorer.embed_texts([sentence.text for sentence in seen]))
            clips.append(span_vectors(scorer, features, spans_of(features, seen)))
    if len(texts) < 2:
        return {}
    found = {}
    for measure in MEASURES:
        score = default_score(scorer, measure)
        ranks = ranks_of(-video_distances(texts, clips, measure, score=score))
        found[f"retrieval_{measure}"] = retrieval_metrics(ranks)["recall_1"]
    return found


def _seen(rows: Sequence[TruthRow], end: float) -> list[Sentence]:
    """What can be seen and has words, by its start; not what begins after the features `end`."""
    return [
        Sentence(row.text, row.start, row.end, 0, 0)
        for row in sorted(rows, key=lambda row: row.start)
        if row.alignable and row.start < end and row.text.strip()
    ]

"""The plain baseline: one vector a clip, one vector a sentence, no context.

MIL-NCE (CVPR 2020) by dot product, CLIP (ICML 2021) and its kin by cosine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from vidalign.aligners.scorers.text_towers import TextTower, in_batches
from vidalign.aligners.scores import AS_MADE, Reading, Scores
from vidalign.aligners.windowing import Window, Windowing
from vidalign.types import Features, Sentence

SimilarityScore = Literal["dot", "cosine"]


class SimilarityScorer:
    """Dot product or cosine of clips with sentences, both as the text tower puts them into one space."""

    name = "similarity"

    def __init__(self, tower: TextTower, *, score: SimilarityScore = "dot") -> None:
        self.tower = tower
        self.text_model = tower.name
        self.score_name: str = score

    def known_words(self, sentences: Sequence[Sentence]) -> float | None:
        """Share of the sentences' words in the dictionary, None without one."""
        return self.tower.known_words([s.text for s in sentences])

    def score(self, features: Features, sentences: Sequence[Sentence], windowing: Windowing) -> Scores:
        """Every sentence against every clip; the windowing plays no part."""
        with torch.inference_mode():
            video = self.tower.clips(torch.tensor(features.features, dtype=torch.float32))
            text = in_batches(self.tower, [s.text for s in sentences])
            if self.score_name == "cosine":
                video, text = F.normalize(video, dim=-1), F.normalize(text, dim=-1)
            similarity = (text @ video.T).float().cpu().numpy()
        return Scores(np.ascontiguousarray(similarity), None, {"mode": "none"})

    def score_windows(
        self,
        features: Features,
        sentences: Sequence[Sentence],
        windows: Sequence[Window],
        *,
        stretch: int | None = None,
        reading: Reading = AS_MADE,
    ) -> Scores:
        """The same scores, but only where a window holds both the sentence and the clip."""
        scores = self.score(features, sentences, Windowing())
        seen = np.zeros(scores.similarity.shape, dtype=bool)
        for window in windows:
            seen[window.sentences, window.start : window.stop] = True
        return replace(scores, similarity=np.where(seen, scores.similarity, np.float32("nan")))

    def embed_seconds(self, windows: NDArray[np.floating], stretch: int | None = None) -> NDArray[np.float32]:
        """Features (B, T, D) -> vectors (B, T, C); nothing around a second plays a part."""
        with torch.inference_mode():
            embedded = self.tower.clips(torch.tensor(windows, dtype=torch.float32))
        return np.asarray(embedded.cpu().numpy(), dtype=np.float32)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Texts -> vectors (K, C)."""
        with torch.inference_mode():
            return np.asarray(in_batches(self.tower, texts).cpu().numpy(), dtype=np.float32)

"""The plain baseline: one vector a clip, one vector a sentence, no context (MIL-NCE, CVPR 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from vidalign.aligners.scores import AS_MADE, Reading, Scores
from vidalign.aligners.tokens import Tokenizer
from vidalign.aligners.windowing import Window, Windowing
from vidalign.backbones.s3d import S3D
from vidalign.errors import DataError
from vidalign.types import Features, Sentence

TEXT_BATCH = 256
SimilarityScore = Literal["dot", "cosine"]


class SimilarityScorer:
    """Dot product or cosine of `video_embedding` with S3D's sentence vectors.

    Features of the layer mixed_5c go through S3D's last linear layer first.
    """

    name = "similarity"

    def __init__(
        self, model: S3D, tokenizer: Tokenizer, *, score: SimilarityScore = "dot", device: str = "cpu"
    ) -> None:
        self.model = model.to(device).eval()
        self.tokenizer = tokenizer
        self.text_model = tokenizer.name
        self.score_name: str = score
        self.device = torch.device(device)

    def known_words(self, sentences: Sequence[Sentence]) -> float | None:
        """Share of the sentences' words in the dictionary."""
        return self.tokenizer.coverage([s.text for s in sentences])

    def score(self, features: Features, sentences: Sequence[Sentence], windowing: Windowing) -> Scores:
        """Every sentence against every clip; the windowing plays no part."""
        with torch.inference_mode():
            video = self._video_embedding(torch.tensor(features.features, dtype=torch.float32))
            text = self._text_embedding([s.text for s in sentences])
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
            embedded = self._video_embedding(torch.tensor(windows, dtype=torch.float32))
        return np.asarray(embedded.cpu().numpy(), dtype=np.float32)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Texts -> vectors (K, C)."""
        with torch.inference_mode():
            parts = [
                self._text_embedding(texts[i : i + TEXT_BATCH]) for i in range(0, len(texts), TEXT_BATCH)
            ]
        return np.asarray(torch.cat(parts).cpu().numpy(), dtype=np.float32)

    def _text_embedding(self, texts: Sequence[str]) -> torch.Tensor:
        ids, _ = self.tokenizer(texts)
        embedded: torch.Tensor = self.model.text_module(torch.from_numpy(ids).to(self.device))
        return embedded

    def _video_embedding(self, clips: torch.Tensor) -> torch.Tensor:
        clips, width = clips.to(self.device), clips.shape[-1]
        if width == self.model.layers["video_embedding"]:
            return clips
        if width == self.model.layers["mixed_5c"]:
            embedded: torch.Tensor = self.model.fc(clips)
            return embedded
        layers = ", ".join(f"{name} {size}" for name, size in self.model.layers.items())
        raise DataError(f"the features are {width} wide, this model has {layers}", hint="extract them again")

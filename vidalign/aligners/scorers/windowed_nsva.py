"""NSVA over a whole video: all sentences with all clips at once, very long videos in windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from vidalign.aligners.scorers.inputs import clips_tensor
from vidalign.aligners.scorers.nsva import NSVA, SENTENCES
from vidalign.aligners.scorers.sentence_features import SentenceFeatures
from vidalign.aligners.scores import AS_MADE, Reading, Scores, sentence_mids
from vidalign.aligners.spec import lacks_text_features
from vidalign.aligners.windowing import (
    Stitcher,
    Window,
    Windowing,
    for_long_videos,
    plan_windows,
    recorded,
)
from vidalign.errors import DataError
from vidalign.types import Features, Sentence


class NsvaScorer:
    """Cosines after the last decoder layer; `texts` None: which sentence features must still be said."""

    name = "nsva"
    score_name = "cosine"

    def __init__(self, model: NSVA, texts: SentenceFeatures | None, *, device: str = "cpu") -> None:
        self.model = model.to(device).eval()
        self.texts = texts
        self.text_model = "unknown" if texts is None else texts.name
        self.device = torch.device(device)

    def reading(self, texts: SentenceFeatures) -> NsvaScorer:
        """The same with these sentence features."""
        return NsvaScorer(self.model, texts, device=str(self.device))

    def known_words(self, sentences: Sequence[Sentence]) -> float | None:
        """Share of the sentences' words that are known, None without a closed dictionary."""
        return None if self.texts is None else self.texts.known_words([s.text for s in sentences])

    def score(self, features: Features, sentences: Sequence[Sentence], windowing: Windowing) -> Scores:
        """Scores of K sentences against T clips; raises DataError where they do not fit the model."""
        plan = for_long_videos(windowing)
        windows = plan_windows(features.times, sentence_mids(sentences), plan)
        scores = self.score_windows(features, sentences, windows)
        return replace(scores, windowing=recorded(self.name, {}, windowing))

    def score_windows(
        self,
        features: Features,
        sentences: Sequence[Sentence],
        windows: Sequence[Window],
        *,
        stretch: int | None = None,
        reading: Reading = AS_MADE,
    ) -> Scores:
        """Scores in these windows only; raises DataError where features or sentences do not fit."""
        stitcher = Stitcher(len(sentences), len(features.features))
        with torch.inference_mode():
            video = self._clips(features)
            text = self._sentences([s.text for s in sentences]) if windows else torch.zeros(0)
            for window in windows:
                self._check(window)
                clips = video[None, window.start : window.stop]
                said = text[None, torch.from_numpy(window.sentences).to(self.device)]
                stitcher.add(window, self.model(clips, said, across=False)[-1, 0].float().cpu().numpy())
        return Scores(stitcher.mean(), None, {"mode": "windows"})

    def _clips(self, features: Features) -> Tensor:
        return clips_tensor(features.features, self.model.video_dim, self.device)

    def _sentences(self, texts: Sequence[str]) -> Tensor:
        if self.texts is None:
            raise lacks_text_features("this model")
        vectors = self.texts.vectors(texts)
        if vectors.shape[1] != self.model.text_dim:
            raise DataError(
                f"the sentence features ({self.texts.name}) are {vectors.shape[1]} wide, "
                f"this model wants {self.model.text_dim}"
            )
        return vectors.float().to(self.device)

    def _check(self, window: Window) -> None:
        if window.stop - window.start > self.model.seconds:
            raise DataError(
                f"this model has places for {self.model.seconds} clips, not {window.stop - window.start}",
                hint="use --windowing overlap",
            )
        if self.model.ordered and len(window.sentences) > SENTENCES:
            raise DataError(f"this model numbers at most {SENTENCES} sentences, not {len(window.sentences)}")

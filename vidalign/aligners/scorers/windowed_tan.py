"""TAN over a whole video: each sentence embedded once, each second projected once, windows in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from vidalign.aligners.scorers.inputs import clips_tensor, embedded
from vidalign.aligners.scorers.tan import HEAD_STAGE, POSITIONS, TAN
from vidalign.aligners.scores import AS_MADE, Reading, Scores, sentence_mids
from vidalign.aligners.tokens import Tokenizer
from vidalign.aligners.windowing import Stitcher, Window, Windowing, plan_windows
from vidalign.errors import DataError
from vidalign.types import Features, Sentence


class TanScorer:
    """Mean of joint and dual cosine of the last stage, with the alignability logit of joint stage 3.

    `batch` windows run together.
    """

    name = "tan"
    score_name = "cosine"

    def __init__(
        self,
        model: TAN,
        tokenizer: Tokenizer,
        *,
        device: str = "cpu",
        batch: int = 8,
    ) -> None:
        self.model = model.to(device).eval()
        self.tokenizer = tokenizer
        self.text_model = tokenizer.name
        self.device = torch.device(device)
        self.batch = batch

    def known_words(self, sentences: Sequence[Sentence]) -> float | None:
        """Share of the sentences' words in the dictionary, None for BERT."""
        return self.tokenizer.coverage([s.text for s in sentences])

    def score(self, features: Features, sentences: Sequence[Sentence], windowing: Windowing) -> Scores:
        """Stitched scores of K sentences against T clips; raises DataError on a wrong feature width."""
        windows = plan_windows(features.times, sentence_mids(sentences), windowing)
        stretch = windowing.size if windowing.mode == "global" else None
        scores = self.score_windows(features, sentences, windows, stretch=stretch)
        return replace(scores, windowing=asdict(windowing))

    def score_windows(
        self,
        features: Features,
        sentences: Sequence[Sentence],
        windows: Sequence[Window],
        *,
        stretch: int | None = None,
        reading: Reading = AS_MADE,
    ) -> Scores:
        """Stitched scores of these windows; raises DataError on a wrong feature width."""
        if self.model.text_positions and len(sentences) > POSITIONS:
            raise DataError(f"this model numbers at most {POSITIONS} sentences, not {len(sentences)}")
        stitcher = Stitcher(len(sentences), len(features.features))
        logit_sum, logit_count = np.zeros(len(sentences)), np.zeros(len(sentences))
        with torch.inference_mode():
            video = self.model.project_video(self._clips(features.features))
            text = self.model.project_text(self._embed([s.text for s in sentences]))
            for group in _batches(windows, self.batch):
                similarity, logits = self._run(group, video, text, stretch, reading)
                for window, scores, head in zip(group, similarity, logits, strict=True):
                    stitcher.add(window, scores)
                    logit_sum[window.sentences] += head
                    logit_count[window.sentences] += 1
        head_mean = None
        if self.model.binary_head is not None and reading.encoders != "dual":
            with np.errstate(invalid="ignore"):
                head_mean = (logit_sum / logit_count).astype(np.float32)
        return Scores(stitcher.mean(), head_mean, {"mode": "windows"})

    def embed_seconds(self, windows: NDArray[np.floating], stretch: int | None = None) -> NDArray[np.float32]:
        """Features (B, T, D) -> the dual encoder's last stage (B, T, C)."""
        with torch.inference_mode():
            stages = self.model.encode_video(self.model.project_video(self._clips(windows)), None, stretch)
        return np.asarray(stages[:, -1].cpu().numpy(), dtype=np.float32)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Texts -> what the dual encoder compares seconds with (K, C)."""
        with torch.inference_mode():
            tokens = self.model.project_text(self._embed(texts))
        return np.asarray(tokens.cpu().numpy(), dtype=np.float32)

    def _clips(self, features: NDArray[np.floating]) -> Tensor:
        return clips_tensor(features, self.model.video_pre_proj.in_features, self.device)

    def _embed(self, texts: Sequence[str]) -> Tensor:
        width = self.model.text_pre_proj.in_features
        return embedded(texts, self.tokenizer, self.model.embed_text, width, self.device)

    def _run(
        self, group: Sequence[Window], video: Tensor, text: Tensor, stretch: int | None, reading: Reading
    ) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """Similarity (k, w) and logits (k,) of each window of a group of equally long ones."""
        clips = torch.stack([video[w.start : w.stop] for w in group])
        length = clips.shape[1]
        stretch = stretch if stretch is not None and length > stretch else None
        counts = torch.tensor([len(w.sentences) for w in group], device=self.device)
        words = pad_sequence([text[torch.from_numpy(w.sentences)] for w in group], batch_first=True)
        cosines, head = [], torch.zeros(words.shape[:2])
        if reading.encoders != "joint":
            dual = F.normalize(self.model.encode_video(clips, None, stretch)[:, -1], dim=-1)
            cosines.append(F.normalize(words, dim=-1) @ dual.mT)
        if reading.encoders != "dual":
            padding = torch.arange(words.shape[1], device=self.device) >= counts[:, None]
            mask = padding if bool(padding.any()) else None
            seconds, lines = self.model.encode_joint(clips, words, text_mask=mask, interpolate_from=stretch)
            cosines.append(F.normalize(lines[:, -1], dim=-1) @ F.normalize(seconds[:, -1], dim=-1).mT)
            if self.model.binary_head is not None:
                stage = HEAD_STAGE if reading.head_stage is None else reading.head_stage
                head = self.model.alignability(lines[:, stage])[..., 0]
        similarity = torch.stack(cosines).mean(dim=0).float().cpu().numpy()
        logits = head.float().cpu().numpy()
        sizes = [len(w.sentences) for w in group]
        return [s[:k] for s, k in zip(similarity, sizes, strict=True)], [
            row[:k] for row, k in zip(logits, sizes, strict=True)
        ]


def _batches(windows: Sequence[Window], size: int) -> Iterator[list[Window]]:
    """Groups of windows of equal length and similar numbers of sentences, so that little is padding."""
    ordered = sorted(windows, key=lambda w: (w.stop - w.start, len(w.sentences)))
    group: list[Window] = []
    for window in ordered:
        if group and (len(group) == size or window.stop - window.start != group[0].stop - group[0].start):
            yield group
            group = []
        group.append(window)
    if group:
        yield group

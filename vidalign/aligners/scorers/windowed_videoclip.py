"""VideoCLIP and TempCLR over a whole video: windows of 32 s every 16, whose seconds are averaged.

Videos and sentences do not see each other, so windows of sentences only choose which cells have a score.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from vidalign.aligners.scorers.inputs import clips_tensor, embedded
from vidalign.aligners.scorers.videoclip import VideoCLIP
from vidalign.aligners.scores import AS_MADE, Reading, Scores
from vidalign.aligners.tokens import Tokenizer
from vidalign.aligners.windowing import Stitcher, Window, Windowing, pieces, recorded
from vidalign.types import Features, Sentence

Span = tuple[int, int]


class VideoClipScorer:
    """Dot product or cosine of each second's token with the mean token of each sentence.

    `batch` windows run together.
    """

    name = "tempclr"

    def __init__(
        self,
        model: VideoCLIP,
        tokenizer: Tokenizer,
        *,
        score: Literal["dot", "cosine"] = "dot",
        device: str = "cpu",
        batch: int = 16,
    ) -> None:
        if score not in ("dot", "cosine"):
            raise ValueError(f"score is {score!r}, not dot or cosine")
        self.model = model.to(device).eval()
        self.tokenizer = tokenizer
        self.score_name: str = score
        self.text_model = tokenizer.name
        self.device = torch.device(device)
        self.batch = batch

    def known_words(self, sentences: Sequence[Sentence]) -> float | None:
        """Share of the sentences' words that are known, None for word pieces."""
        return self.tokenizer.coverage([s.text for s in sentences])

    def score(self, features: Features, sentences: Sequence[Sentence], windowing: Windowing) -> Scores:
        """Every sentence against every clip; raises DataError on a wrong feature width."""
        whole = Window(0, len(features.features), np.arange(len(sentences)))
        scores = self.score_windows(features, sentences, [whole])
        return replace(scores, windowing=recorded(self.name, {"clips": self.model.clips}, windowing))

    def score_windows(
        self,
        features: Features,
        sentences: Sequence[Sentence],
        windows: Sequence[Window],
        *,
        stretch: int | None = None,
        reading: Reading = AS_MADE,
    ) -> Scores:
        """Scores in these windows, longer ones in pieces; raises DataError on a wrong feature width."""
        stitcher = Stitcher(len(sentences), len(features.features))
        spans = {(w.start, w.stop): pieces(w.start, w.stop, self.model.clips) for w in windows}
        with torch.inference_mode():
            tokens = self._tokens(features.features, {piece for span in spans.values() for piece in span})
            text = self._compared(self._texts([s.text for s in sentences]))
            for window in windows:
                seconds = _averaged(spans[window.start, window.stop], tokens)
                found = text[torch.from_numpy(window.sentences).to(self.device)] @ seconds.mT
                stitcher.add(window, found.float().cpu().numpy())
        return Scores(stitcher.mean(), None, {"mode": "windows"})

    def embed_seconds(self, windows: NDArray[np.floating], stretch: int | None = None) -> NDArray[np.float32]:
        """Features (B, T, D) -> tokens of the seconds (B, T, C); more than the network sees, in pieces."""
        parts = pieces(0, windows.shape[1], self.model.clips)
        with torch.inference_mode():
            found = [_averaged(parts, self._tokens(window, parts)) for window in windows]
        return np.stack([seconds.float().cpu().numpy() for seconds in found])

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Texts -> mean tokens (K, C)."""
        with torch.inference_mode():
            return np.asarray(self._texts(texts).float().cpu().numpy(), dtype=np.float32)

    def embed_segment(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Features (T, D) of a segment -> its mean token (C,), over parts where it is too long to be seen."""
        with torch.inference_mode():
            clips, size = self._clips(features), self.model.clips
            padded, mask = _padded([clips[i : i + size] for i in range(0, len(clips), size)])
            pooled = self.model.embed_clips(padded, mask).mean(dim=0)
        return np.asarray(pooled.float().cpu().numpy(), dtype=np.float32)

    def _clips(self, features: NDArray[np.floating]) -> Tensor:
        return clips_tensor(features, self.model.video_dim, self.device)

    def _compared(self, vectors: Tensor) -> Tensor:
        return F.normalize(vectors, dim=-1) if self.score_name == "cosine" else vectors

    def _tokens(self, features: NDArray[np.floating], spans: Iterable[Span]) -> dict[Span, Tensor]:
        """Tokens (n, C) of the clips of each span, as they are compared; equally long ones together."""
        video = self._clips(features)
        found: dict[Span, Tensor] = {}
        ordered = sorted(set(spans), key=lambda span: (span[1] - span[0], span))
        for first in range(0, len(ordered), self.batch):
            group = ordered[first : first + self.batch]
            padded, mask = _padded([video[start:stop] for start, stop in group])
            tokens = self._compared(self.model.embed_seconds(padded, mask))
            found |= {span: row[: span[1] - span[0]] for span, row in zip(group, tokens, strict=True)}
        return found

    def _texts(self, texts: Sequence[str]) -> Tensor:
        return embedded(texts, self.tokenizer, self.model.embed_text, self.model.width, self.device)


def _padded(parts: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Clips (B, T, D), filled up with zeros, and their mask (B, T)."""
    lengths = torch.tensor([len(part) for part in parts], device=parts[0].device)
    padded = pad_sequence(list(parts), batch_first=True)
    return padded, torch.arange(padded.shape[1], device=padded.device) < lengths[:, None]


def _averaged(spans: Sequence[Span], tokens: dict[Span, Tensor]) -> Tensor:
    """Mean tokens (T, C) of the seconds that spans cover without a gap, in order."""
    start, stop = spans[0][0], spans[-1][1]
    total = tokens[spans[0]].new_zeros(stop - start, tokens[spans[0]].shape[-1])
    count = total.new_zeros(stop - start, 1)
    for first, last in spans:
        total[first - start : last - start] += tokens[first, last]
        count[first - start : last - start] += 1
    return total / count

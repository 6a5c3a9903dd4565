"""Trains the small TAN on cached features: windows, sentences of their steps, and many that fit nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from footage import Footage
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from train_backbone import Kind, lookalike

from vidalign.aligners.scorers.tan import HEAD_STAGE, TAN
from vidalign.backbones.s3d import S3D
from vidalign.synthetic.narration import chatter, describe
from vidalign.synthetic.world import SIZES, TASKS, TEXTURES, Step, draw_kind
from vidalign.text.words import WordTokenizer

MASKED = -1e4
SHORTEST_VISIBLE = 2
"""Seconds of a step that a window must hold for a sentence about it to count as alignable or not at all."""


@dataclass(frozen=True)
class Track:
    """Features (T, D) of one video and for every second the step that fills most of it, or -1."""

    features: Tensor
    steps: Tensor
    plan_steps: Sequence[Step]


def make_track(footage: Footage, features: Tensor) -> Track:
    """Cached features with the true step of every second."""
    plan = footage.sample.plan
    middles = torch.arange(len(features)) + 0.5
    steps = torch.full((len(features),), -1)
    for index in range(len(plan.steps)):
        start, end = plan.interval(index)
        steps[(middles >= start) & (middles < end)] = index
    return Track(features, steps, plan.steps)


@dataclass(frozen=True)
class Window:
    """Features (T, D), sentences, and which seconds show each: (T, N) bool."""

    features: Tensor
    texts: list[str]
    shown: Tensor


class WindowSampler:
    """Windows cut from one video, or put together from pieces of several, with sentences drawn afresh."""

    def __init__(self, tracks: Sequence[Track], length: int, noise: float, seed: int) -> None:
        self.tracks, self.length, self.noise = tracks, length, noise
        self.random = Random(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.scale = torch.cat([track.features for track in tracks]).std(0)

    def draw(self) -> Window:
        """One window."""
        draw = self.random
        length = self.length if draw.random() < 0.7 else draw.randint(12, self.length)
        whole = draw.random() < 0.5
        pieces: list[Tensor] = []
        seconds: dict[Kind, list[int]] = {}
        looks: dict[Kind, Step] = {}
        filled = 0
        while filled < length:
            piece = length - filled if whole else min(draw.randint(4, 24), length - filled)
            track = draw.choice(self.tracks)
            start = draw.randint(0, len(track.features) - piece)
            pieces.append(track.features[start : start + piece])
            for offset, index in enumerate(track.steps[start : start + piece].tolist()):
                if index >= 0:
                    step = track.plan_steps[index]
                    seconds.setdefault(step.kind, []).append(filled + offset)
                    looks[step.kind] = step
            filled += piece
        features = torch.cat(pieces)
        features = features + self.noise * self.scale * torch.randn(features.shape, generator=self.generator)
        return self._with_sentences(features, seconds, looks)

    def _with_sentences(
        self, features: Tensor, seconds: Mapping[Kind, list[int]], looks: Mapping[Kind, Step]
    ) -> Window:
        draw = self.random
        spoken: list[tuple[str, list[int]]] = []
        few = draw.random() < 0.25
        for kind, shown in seconds.items():
            if len(shown) >= SHORTEST_VISIBLE and draw.random() < (0.3 if few else 0.85):
                look = looks[kind]
                for _ in range(2 if draw.random() < 0.15 else 1):
                    spoken.append((describe(draw, kind, look.size, look.texture), shown))
        nothing = draw.randint(1, 4) if few else draw.randint(4, 40)
        spoken += [(self._unshown(seconds), []) for _ in range(nothing)]
        draw.shuffle(spoken)
        mask = torch.zeros(len(features), len(spoken), dtype=torch.bool)
        for column, (_, shown) in enumerate(spoken):
            mask[shown, column] = True
        return Window(features, [text for text, _ in spoken], mask)

    def _unshown(self, seconds: Mapping[Kind, list[int]]) -> str:
        """Chatter, a sentence about something that this window does not show, or unknown words."""
        draw = self.random
        dice = draw.random()
        if dice < 0.3:
            return chatter(draw, draw.choice(TASKS))
        if dice < 0.33:
            return " ".join(["?" if draw.random() < 0.5 else "zzz"] * draw.randint(1, 12))
        kind = draw_kind(draw)
        if dice < 0.7 and seconds:
            kind = lookalike(draw, draw.choice(list(seconds)))
        while kind in seconds:
            kind = draw_kind(draw)
        return describe(draw, kind, draw.choice(tuple(SIZES)), draw.choice(tuple(TEXTURES)))


def stage_loss(scores: Tensor, shown: Tensor, padded_seconds: Tensor, padded_texts: Tensor) -> Tensor:
    """Multi-positive InfoNCE inside each window over stages; `scores` (B, L, T, N) divided by temperature.

    Seconds choose among the window's sentences; each second of a sentence competes with all seconds that
    do not show it.
    """
    stages = scores.shape[1]
    shown = shown[:, None].expand(-1, stages, -1, -1)
    seconds_to_texts = scores.masked_fill(padded_texts[:, None, None, :], MASKED)
    rows = shown.any(3)
    matched = seconds_to_texts.masked_fill(~shown, MASKED)
    to_text = (seconds_to_texts.logsumexp(3)[rows] - matched.logsumexp(3)[rows]).mean()
    others = scores.masked_fill(shown | padded_seconds[:, None, :, None], MASKED).logsumexp(2, keepdim=True)
    each = F.softplus(others - scores)[shown]
    return (to_text + each.mean()) / 2


def warm_start(model: TAN, backbone: S3D) -> None:
    """Both towers begin as the backbone's own embedding of clips and sentences."""
    model.bert.load_state_dict(backbone.text_module.state_dict())
    with torch.no_grad():
        model.video_pre_proj.weight.copy_(backbone.fc.weight)
        model.text_pre_proj.weight.copy_(torch.eye(*model.text_pre_proj.weight.shape))


def collate(windows: Sequence[Window]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Padded features (B, T, D), shown (B, T, N), and padding of seconds (B, T) and of sentences (B, N)."""
    features = pad_sequence([window.features for window in windows], batch_first=True)
    texts = max(len(window.texts) for window in windows)
    shown = torch.zeros(len(windows), features.shape[1], texts, dtype=torch.bool)
    padded_seconds = torch.ones(features.shape[:2], dtype=torch.bool)
    padded_texts = torch.ones(len(windows), texts, dtype=torch.bool)
    for index, window in enumerate(windows):
        length, count = window.shown.shape
        shown[index, :length, :count] = window.shown
        padded_seconds[index, :length] = False
        padded_texts[index, :count] = False
    return features, shown, padded_seconds, padded_texts


def losses(
    model: TAN, tokenizer: WordTokenizer, windows: Sequence[Window], temperature: float
) -> dict[str, Tensor]:
    """Losses of dual stages, joint stages and alignability head, and the head's share of right answers."""
    features, shown, padded_seconds, padded_texts = collate(windows)
    ids = torch.from_numpy(tokenizer.encode([text for window in windows for text in window.texts]))
    embedded = model.embed_text(ids).split([len(window.texts) for window in windows])
    outputs = model(features, pad_sequence(list(embedded), batch_first=True), padded_seconds, padded_texts)
    own = torch.arange(len(windows))
    found = {
        name: stage_loss(
            outputs[f"logits_{name}"][own, :, :, own] / temperature, shown, padded_seconds, padded_texts
        )
        for name in ("dual", "joint")
    }
    logits = outputs["joint_logits_alignability"][:, HEAD_STAGE, :, 0][~padded_texts]
    labels = shown.any(1)[~padded_texts].float()
    found["head"] = F.binary_cross_entropy_with_logits(logits, labels)
    found["right"] = ((logits > 0) == (labels > 0)).float().mean()
    return found


def train_aligner(
    tracks: Sequence[Track], backbone: S3D, tokenizer: WordTokenizer, config: Mapping[str, Any], seed: int
) -> TAN:
    """TAN from the backbone's towers; `config` is the `aligner` part of mini.yaml."""
    torch.manual_seed(seed)
    options = config["training"]
    video_dim = tracks[0].features.shape[1]
    model = TAN(video_dim=video_dim, vocabulary=len(tokenizer.words) + 1, **config["model"])
    warm_start(model, backbone)
    optimiser = torch.optim.AdamW(
        model.parameters(), options["learning_rate"], weight_decay=options["weight_decay"]
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options["learning_rate"], total_steps=options["steps"], pct_start=0.1
    )
    sampler = WindowSampler(tracks, options["window"], options["noise"], seed)
    for step in range(options["steps"]):
        windows = [sampler.draw() for _ in range(options["batch"])]
        found = losses(model, tokenizer, windows, options["temperature"])
        loss = (found["dual"] + found["joint"]) / 2 + options["head"] * found["head"]
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 0 or step == options["steps"] - 1:
            numbers = " ".join(f"{name} {value.item():.3f}" for name, value in found.items())
            print(f"aligner {step}: {numbers}", flush=True)
    return model.eval()

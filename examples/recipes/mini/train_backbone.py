"""Trains the small S3D and its sentence encoder: clips against sentences that describe their step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import torch
from footage import Footage
from torch import Tensor, nn
from torch.nn import functional as F

from vidalign.backbones.s3d import S3D
from vidalign.synthetic.narration import describe
from vidalign.synthetic.world import ACTIONS, COLOURS, SHAPES
from vidalign.text.words import WordTokenizer
from vidalign.types import Recipe

Kind = tuple[str, str, str]
ATTRIBUTES = tuple(tuple(values) for values in (COLOURS, SHAPES, ACTIONS))
MIRRORED = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class Span:
    """Sampled frames [start, end) of a video that show one step, or none."""

    video: int
    start: int
    end: int
    kind: Kind | None
    size: str = ""
    texture: str = ""


def spans_of(footage: Sequence[Footage], recipe: Recipe) -> tuple[list[Span], list[Span]]:
    """All steps, and all stretches of scenery that are long enough for a clip."""
    steps, scenery = [], []
    for video, item in enumerate(footage):
        plan = item.sample.plan
        rate = recipe.fps / plan.settings.fps
        for step in plan.steps:
            start, end = round(step.start * rate), round(step.end * rate)
            steps.append(Span(video, start, end, step.kind, step.size, step.texture))
        for shot in plan.shots:
            start, end = round(shot.start * rate), round(shot.end * rate)
            if shot.step is None and end - start >= recipe.frames:
                scenery.append(Span(video, start, end, None))
    return steps, scenery


class ClipSampler:
    """Random clips with a sentence each and look-alike sentences that differ in one attribute."""

    def __init__(self, footage: Sequence[Footage], recipe: Recipe, idle_share: float, seed: int) -> None:
        self.footage, self.frames, self.idle_share = footage, recipe.frames, idle_share
        self.steps, self.scenery = spans_of(footage, recipe)
        self.random = Random(seed)

    def draw(self, batch: int) -> tuple[Tensor, list[Kind | None], list[str], list[Kind]]:
        """Clips (B, 3, N, H, W) in [0, 1], what each shows, sentences, and what each sentence says."""
        clips, shown, texts, said = [], [], [], []
        for _ in range(batch):
            idle = self.random.random() < self.idle_share
            span = self.random.choice(self.scenery if idle else self.steps)
            pixels, mirrored = self._cut(span)
            clips.append(pixels)
            kind = span.kind
            if kind is not None:
                if mirrored:
                    kind = (kind[0], kind[1], MIRRORED.get(kind[2], kind[2]))
                for spoken in (kind, lookalike(self.random, kind)):
                    texts.append(describe(self.random, spoken, span.size, span.texture))
                    said.append(spoken)
            shown.append(kind)
        stacked = torch.from_numpy(np.stack(clips)).permute(0, 4, 1, 2, 3)
        return stacked.float().div_(255), shown, texts, said

    def _cut(self, span: Span) -> tuple[np.ndarray, bool]:
        slack = 1 if span.kind is not None else 0
        length = len(self.footage[span.video].frames)
        low = max(span.start - slack, 0)
        high = min(span.end + slack, length) - self.frames
        start = self.random.randint(low, max(low, high))
        pixels = np.asarray(self.footage[span.video].frames[start : start + self.frames])
        mirrored = self.random.random() < 0.5
        return (pixels[:, :, ::-1] if mirrored else pixels), mirrored


def lookalike(random: Random, kind: Kind) -> Kind:
    """The same but for one attribute."""
    changed = random.randrange(3)
    others = [value for value in ATTRIBUTES[changed] if value != kind[changed]]
    attributes = list(kind)
    attributes[changed] = random.choice(others)
    return attributes[0], attributes[1], attributes[2]


def contrastive(similarity: Tensor, positive: Tensor) -> Tensor:
    """Multi-positive InfoNCE over both directions of (clips, sentences), rows and columns with positives."""
    losses = []
    for scores, targets in ((similarity, positive), (similarity.T, positive.T)):
        has_any = targets.any(1)
        scores, targets = scores[has_any], targets[has_any]
        matched = scores.masked_fill(~targets, -torch.inf).logsumexp(1)
        losses.append((scores.logsumexp(1) - matched).mean())
    return torch.stack(losses).mean()


class Attributes(nn.Module):
    """Reads colour, shape and action off the features; thrown away after training."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(width, len(values) + 1) for values in ATTRIBUTES)

    def forward(self, features: Tensor, shown: Sequence[Kind | None]) -> tuple[Tensor, Tensor]:
        """Mean cross entropy, and the share of right answers of each attribute (3,)."""
        losses, right = [], []
        for index, head in enumerate(self.heads):
            values = ATTRIBUTES[index]
            target = torch.tensor([len(values) if k is None else values.index(k[index]) for k in shown])
            logits = head(features)
            losses.append(F.cross_entropy(logits, target))
            right.append((logits.argmax(1) == target).float().mean())
        return torch.stack(losses).mean(), torch.stack(right)


def ease_start(model: S3D) -> None:
    """Temporal convolutions begin near the identity and rectifiers mostly open.

    As its class initialises it, the narrow network, deep and without shortcuts, learns several times slower.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.ones_(module.bias)
        elif isinstance(module, nn.Conv3d) and name.endswith("conv2"):
            nn.init.dirac_(module.weight)
            with torch.no_grad():
                module.weight.add_(0.1 * module.in_channels**-0.5 * torch.randn_like(module.weight))


def train_backbone(
    footage: Sequence[Footage], tokenizer: WordTokenizer, recipe: Recipe, config: Mapping[str, Any], seed: int
) -> S3D:
    """S3D from scratch; `config` is the `backbone` part of mini.yaml."""
    torch.manual_seed(seed)
    options = config["training"]
    model = S3D(vocabulary=len(tokenizer.words) + 1, **config["model"])
    ease_start(model)
    model = model.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    attributes = Attributes(model.layers["mixed_5c"])
    parameters = [*model.parameters(), *attributes.parameters()]
    optimiser = torch.optim.AdamW(parameters, options["learning_rate"], weight_decay=options["weight_decay"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, options["learning_rate"], total_steps=options["steps"], pct_start=0.15
    )
    sampler = ClipSampler(footage, recipe, options["idle_share"], seed)
    for step in range(options["steps"]):
        clips, shown, texts, said = sampler.draw(options["batch"])
        outputs = model(clips.contiguous(memory_format=torch.channels_last_3d))
        ids = torch.from_numpy(tokenizer.encode(texts))
        sentences = model.text_module(ids, ids > 0 if step % 2 else None)
        positive = torch.tensor([[kind == spoken for spoken in said] for kind in shown])
        nce = contrastive(outputs["video_embedding"] @ sentences.T, positive)
        auxiliary, right = attributes(outputs["mixed_5c"], shown)
        loss = nce + options["auxiliary"] * auxiliary
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimiser.step()
        schedule.step()
        if step % 25 == 0 or step == options["steps"] - 1:
            shares = " ".join(f"{share:.2f}" for share in right.tolist())
            print(
                f"backbone {step}: nce {nce.item():.3f} attributes {auxiliary.item():.3f} right {shares}",
                flush=True,
            )
    return model.eval()


@torch.inference_mode()
def extract_features(model: S3D, footage: Footage, frames: int) -> Tensor:
    """mixed_5c and video_embedding of a video's clips, (T, width + embedding)."""
    clips = torch.from_numpy(np.array(footage.frames)).unflatten(0, (-1, frames)).permute(0, 4, 1, 2, 3)
    rows = []
    for batch in clips.split(64):
        pixels = batch.float().div(255).contiguous(memory_format=torch.channels_last_3d)
        outputs = model(pixels)
        rows.append(torch.cat([outputs["mixed_5c"], outputs["video_embedding"]], dim=1))
    return torch.cat(rows)

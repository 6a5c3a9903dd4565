"""Fits the rule of `synth --features-only` to what the trained backbone makes of drawn videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import nn
from torch.nn import functional as F

from vidalign.synthetic.rule import FeatureRule
from vidalign.synthetic.states import STATES, second_states, shot_of_seconds
from vidalign.synthetic.world import Plan

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Watched:
    """A drawn video: its plan and the features (T, D) that the backbone made of it."""

    plan: Plan
    features: Floats


def fit_rule(
    videos: Sequence[Watched], *, hidden: int = 160, steps: int = 2500, shot_rank: int = 24, rank: int = 48
) -> FeatureRule:
    """Least squares on two videos of three; the scatter is that of the third, which the fit never saw."""
    learned = [video for index, video in enumerate(videos) if index % 3]
    held = [video for index, video in enumerate(videos) if index % 3 == 0]
    network = nn.Sequential(
        nn.Linear(STATES, hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, videos[0].features.shape[1]),
    )
    states, features = (
        torch.from_numpy(np.concatenate(rows)) for rows in zip(*map(_rows, learned), strict=True)
    )
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        batch = torch.randint(len(states), (512,), generator=generator)
        loss = F.mse_loss(network(states[batch]), features[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    linear = [layer for layer in network if isinstance(layer, nn.Linear)]
    weights = {
        f"weight_{n}": layer.weight.detach().T.contiguous().numpy() for n, layer in enumerate(linear, 1)
    }
    biases = {f"bias_{n}": layer.bias.detach().numpy() for n, layer in enumerate(linear, 1)}
    nothing = np.zeros((1, features.shape[1]), np.float32)
    rule = FeatureRule(**weights, **biases, shot_scatter=nothing, second_scatter=nothing)
    shots, seconds = _scatters(rule, held)
    known = {field.name: getattr(rule, field.name) for field in fields(FeatureRule)}
    known |= {"shot_scatter": _principal(shots, shot_rank), "second_scatter": _principal(seconds, rank)}
    return FeatureRule(**known)


def save_rule(path: Path, rule: FeatureRule) -> None:
    """As float16, which is what the features are kept in too."""
    save_file({name: value.astype(np.float16) for name, value in asdict(rule).items()}, path)


def explained(rule: FeatureRule, videos: Sequence[Watched]) -> float:
    """Share of the variance of features that the states account for."""
    left = np.concatenate([video.features - rule.mean(second_states(video.plan)) for video in videos])
    rows = np.concatenate([video.features for video in videos])
    return float(1 - left.var(axis=0).sum() / rows.var(axis=0).sum())


def _rows(video: Watched) -> tuple[Floats, Floats]:
    states = second_states(video.plan)
    seconds = min(len(states), len(video.features))
    return states[:seconds], video.features[:seconds]


def _scatters(rule: FeatureRule, videos: Sequence[Watched]) -> tuple[Floats, Floats]:
    """What is left over: the mean of every shot (S, D), and every second (T, D) without it."""
    shots, seconds = [], []
    for video in videos:
        states, features = _rows(video)
        left = features - rule.mean(states)
        of_second = shot_of_seconds(video.plan)[: len(left)]
        for shot in np.unique(of_second):
            rows = left[of_second == shot]
            shots.append(rows.mean(axis=0))
            seconds.extend(rows - rows.mean(axis=0))
    return np.stack(shots), np.stack(seconds)


def _principal(rows: Floats, rank: int) -> Floats:
    """Directions (rank, D), each as long as the rows scatter along it."""
    _, lengths, directions = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    return np.asarray(directions[:rank] * lengths[:rank, None] / np.sqrt(len(rows)), np.float32)

"""A task that costs nothing: a line is fitted to noisy points, with dropout and a moving average."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from vidalign.errors import ConfigError
from vidalign.training.jobs import TASKS, Batch, Losses, Objective, Run, Split
from vidalign.weights.tensors import save_tensors

NAME = "toy"
PROGRAM = (sys.executable, "-c", "from tests.training import toy; toy.register(); toy.run()")
"""The console script with the toy task; to be run in the checkout."""

CONFIG = """task: toy
seed: 5
training:
  steps: 20
  batch: 4
  workers: 0
  log_every: 5
  checkpoint_every: 5
optimizer: {learning_rate: 1e-2, warmup: 4}
data:
  items: 10
"""


@dataclass(frozen=True)
class Points:
    """How many points, and how long each takes to draw."""

    items: int = 24
    nap: float = 0.0

    def __post_init__(self) -> None:
        if self.items < 0:
            raise ConfigError(f"items must not be below 0, not {self.items}")


@dataclass(frozen=True)
class ToySettings:
    """The keys of the task; from step `nan_at` on the loss is no number."""

    data: Points
    width: int = 4
    dropout: float = 0.2
    nan_at: int | None = None
    metrics: tuple[float, ...] = ()


class ToyObjective(Objective):
    """Squared error of a small network, which has a teacher that follows it slowly."""

    def __init__(self, settings: ToySettings) -> None:
        super().__init__()
        self.settings = settings
        self.online = nn.Sequential(
            nn.Linear(3, settings.width),
            nn.LayerNorm(settings.width),
            nn.Dropout(settings.dropout),
            nn.Linear(settings.width, 1),
        )
        self.target = deepcopy(self.online).requires_grad_(False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, batch: Batch) -> Losses:
        error = (self.online(batch["x"])[:, 0] - batch["y"]).square().mean()
        if self.settings.nan_at is not None and self.steps >= self.settings.nan_at:
            error = error * torch.nan
        return {"loss": error, "rare": torch.where(self.steps % 2 == 0, torch.nan, error)}

    def vectors(self, batch: Batch) -> Tensor:
        hidden: Tensor = self.online[:3](batch["x"])
        return hidden

    @torch.no_grad()
    def after_step(self) -> None:
        self.steps += 1
        for slow, fast in zip(self.target.parameters(), self.online.parameters(), strict=True):
            slow.lerp_(fast, 0.1)


class ToyPoints:
    """Points of a plane with noise."""

    def __init__(self, settings: Points, seed: int) -> None:
        self.settings, self.seed = settings, seed

    def __len__(self) -> int:
        return self.settings.items

    def item(self, epoch: int, index: int) -> list[float]:
        time.sleep(self.settings.nap)
        draw = Random(f"{self.seed}/{epoch}/{index}")
        x = [draw.gauss(0, 1) for _ in range(3)]
        return [*x, x[0] - 2 * x[1] + draw.gauss(0, 0.1)]

    def collate(self, items: Sequence[list[float]]) -> dict[str, Tensor]:
        rows = torch.tensor(items)
        return {"x": rows[:, :3], "y": rows[:, 3]}


class ToyJob:
    """Brings the above; validation gives the numbers of `metrics` one after the other."""

    Settings = ToySettings

    def __init__(self, settings: ToySettings, run: Run) -> None:
        self.settings, self.run = settings, run

    def objective(self) -> ToyObjective:
        return ToyObjective(self.settings)

    def data(self, split: Split) -> ToyPoints | None:
        return ToyPoints(self.settings.data, self.run.seed) if split == "training" else None

    def validate(self, objective: Any) -> dict[str, float]:
        assert not objective.training
        numbers = self.settings.metrics
        step = int(objective.steps)
        return {"score": numbers[min(step // 5, len(numbers) - 1)]} if numbers else {}

    def write_model(self, objective: Any, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        save_tensors(folder / "toy.safetensors", objective.state_dict())
        (folder / "card.yaml").write_text("name: toy\n")


def register() -> None:
    """Make the task known."""
    TASKS[NAME] = "tests.training.toy:ToyJob"


def run() -> None:
    """The console script."""
    from vidalign.cli.main import run as console

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    console()

"""What the training loop runs: an objective, the data it learns from, and the job that brings them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar, cast, runtime_checkable

from torch import Tensor, nn

Split = Literal["training", "validation"]
Batch = dict[str, Tensor]
Losses = dict[str, Tensor]
"""Scalars: `loss` is what is differentiated, the others go to the journal."""

Item = TypeVar("Item")


class Objective(nn.Module):
    """A network with its loss; DistributedDataParallel wraps it as it is.

    Its `forward(batch: Batch) -> Losses` gives "loss" and further named scalars, of the same names in every
    step, and a gradient to every parameter that requires one.
    """

    def after_step(self) -> None:
        """Called after every step of the optimiser, for moving averages."""

    def decay_names(self) -> dict[str, nn.Parameter]:
        """What is trained, under the names that the optimiser's rule for weight decay reads."""
        return {name: value for name, value in self.named_parameters() if value.requires_grad}

    def rate_multipliers(self) -> dict[str, float]:
        """Multiples of the learning rate, by those names; what is not named has 1."""
        return {}


@runtime_checkable
class Embeds(Protocol):
    """An objective that can tell which items look alike; needed by `training.alike` alone."""

    def vectors(self, batch: Batch) -> Tensor:
        """(B, C), one for each item, of any length; their cosine says how alike two are."""
        ...


class TrainingSet(Protocol[Item]):
    """A map-style data set whose items are pure functions of (seed, epoch, index).

    Draw from `Random(f"{seed}/{epoch}/{index}")` or a numpy generator seeded alike, never from global states.
    """

    def __len__(self) -> int:
        """Items of one epoch."""
        ...

    def item(self, epoch: int, index: int) -> Item:
        """One item; called in worker processes."""
        ...

    def collate(self, items: Sequence[Item]) -> Batch:
        """A batch of items as tensors on the CPU; called in worker processes."""
        ...


class Job(Protocol):
    """One `task:` of a configuration."""

    def objective(self) -> Objective:
        """A new objective, on the CPU; its random weights come from torch's global generator."""
        ...

    def data(self, split: Split) -> TrainingSet[Any] | None:
        """The items of a split; there may be none to validate on."""
        ...

    def validate(self, objective: Objective) -> dict[str, float]:
        """Metrics on held-out data; the objective is in evaluation mode, on its device."""
        ...

    def write_model(self, objective: Objective, folder: Path) -> None:
        """Write the trained model: a card and its files."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """What a job may know of the run: its seed, its folder, and the items of a batch in each process."""

    seed: int
    folder: Path
    batch: int


class JobClass(Protocol):
    """How a job is made from the task's own part of a configuration."""

    Settings: ClassVar[type[Any]]
    """A frozen dataclass, its fields the task's top-level keys."""

    def __call__(self, settings: Any, run: Run) -> Job:
        """A job; raises ConfigError on settings that cannot be."""
        ...


TASKS: dict[str, str] = {
    "action": "vidalign.training.tasks.action:ActionJob",
    "backbone": "vidalign.training.tasks.backbone:BackboneJob",
    "nsva": "vidalign.training.tasks.nsva:NsvaJob",
    "steps": "vidalign.training.tasks.steps:StepsJob",
    "tan": "vidalign.training.tasks.tan:TanJob",
    "tempclr": "vidalign.training.tasks.tempclr:TempclrJob",
    "tsp": "vidalign.training.tasks.tsp:TspJob",
}
"""Name -> module:attribute; a module is imported when its task is run."""


def job_class(task: str) -> JobClass:
    """The class of a task's job; raises KeyError on an unknown one."""
    module, _, attribute = TASKS[task].partition(":")
    return cast(JobClass, getattr(import_module(module), attribute))

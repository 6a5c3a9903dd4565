"""A training run in one YAML file: what every task has in common, and the task's own keys."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import yaml

from vidalign.errors import ConfigError, did_you_mean
from vidalign.training.documents import Document, read_document
from vidalign.training.jobs import TASKS, job_class
from vidalign.training.typed import build, check_keys, to_plain

Precision = Literal["auto", "float32", "bf16", "fp16"]
_NEVER_NEGATIVE = (
    "alike", "clip_grad", "workers", "threads", "checkpoint_every", "validate_every", "patience",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LoopOptions:
    """How long, how large and how often.

    `batch` is per process and step of accumulation; a step is one step of the optimiser. `threads` are
    torch's (0: its own choice), `workers` processes prepare batches. `precision` other than float32 is for
    GPUs. `validate_every` and `checkpoint_every` count steps; 0 validates at the end only, or never saves
    before the end. `keep` chooses the weights of the model: of the last step, or of the best `metric`;
    after `patience` validations without a better one (0: never) training stops, and the best is kept.
    With `alike` above 0 a batch is one item drawn at random, and others drawn from the so many nearest to it.
    """

    steps: int | None = None
    epochs: float | None = None
    batch: int = 16
    accumulate: int = 1
    alike: int = 0
    clip_grad: float = 0.0
    precision: Precision = "auto"
    workers: int = 1
    threads: int = 0
    log_every: int = 50
    checkpoint_every: int = 500
    validate_every: int = 0
    keep: Literal["last", "best"] = "last"
    metric: str = "loss"
    goal: Literal["lower", "higher"] = "lower"
    patience: int = 0

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.epochs is None):
            raise ConfigError("give steps or epochs", hint="one of the two, in the section training")
        for name in ("steps", "epochs", "batch", "accumulate", "log_every"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"{name} must be above 0, not {value}")
        for name in _NEVER_NEGATIVE:
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must not be below 0, not {getattr(self, name)}")
        if self.alike and self.alike < self.batch:
            raise ConfigError(f"alike is {self.alike}, fewer than the {self.batch} of a batch")
        if self.patience and not self.validate_every:
            raise ConfigError("patience needs validate_every above 0")

    def items_a_step(self, processes: int) -> int:
        """Items of a step of the optimiser, over all processes."""
        return self.batch * self.accumulate * processes

    @property
    def keeps_best(self) -> bool:
        """Whether the best weights are the model's, not the last ones."""
        return self.keep == "best" or self.patience > 0


@dataclass(frozen=True, slots=True)
class OptimizerOptions:
    """AdamW, or SGD with momentum; a linear warm-up, then what `schedule` says.

    `cosine` falls to `final` times the learning rate at the end of the run; `polynomial` falls there by
    (1 - share)^`power` of the way to `decay_steps` (the run's own by default); `constant` does not change;
    `steps` is the rate times `gamma` from each of the `milestones` on.

    `unit` is what `warmup` and `milestones` count. Norms and biases are not decayed unless `decayed` is all.
    `quirks: reference` goes by names, as TemporalAlignNet does, and so decays the norms at the top of its
    first stage's network.
    """

    name: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = 1e-4
    weight_decay: float = 1e-5
    betas: tuple[float, ...] = (0.9, 0.999)
    momentum: float = 0.9
    warmup: int = 1000
    schedule: Literal["cosine", "polynomial", "constant", "steps"] = "cosine"
    milestones: tuple[float, ...] = ()
    gamma: float = 0.1
    unit: Literal["steps", "epochs"] = "steps"
    final: float = 0.0
    power: float = 1.0
    decay_steps: int | None = None
    decayed: Literal["weights", "all"] = "weights"
    quirks: Literal["reference", "corrected"] = "corrected"

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            raise ConfigError(f"learning_rate must be above 0, not {self.learning_rate}")
        for name in ("weight_decay", "warmup"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must not be below 0, not {getattr(self, name)}")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"betas must be two numbers in [0, 1), not {list(self.betas)}")
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"momentum must be in [0, 1), not {self.momentum}")
        if list(self.milestones) != sorted(self.milestones) or any(m < 0 for m in self.milestones):
            raise ConfigError(f"milestones must not be below 0, and rise: {list(self.milestones)}")
        if (self.schedule == "steps") != bool(self.milestones):
            raise ConfigError("schedule steps and milestones go together", hint="give both or neither")
        if not 0 < self.gamma <= 1:
            raise ConfigError(f"gamma must be in (0, 1], not {self.gamma}")
        if not 0 <= self.final <= 1:
            raise ConfigError(f"final must be in [0, 1], not {self.final}")
        self._check_polynomial()

    def _check_polynomial(self) -> None:
        if not self.power > 0:
            raise ConfigError(f"power must be above 0, not {self.power}")
        for name, unset in (("power", 1.0), ("decay_steps", None)):
            if getattr(self, name) != unset and self.schedule != "polynomial":
                raise ConfigError(f"{name} goes with schedule polynomial", hint=f"leave {name} out")
        if self.decay_steps is None:
            return
        if not self.decay_steps > 0:
            raise ConfigError(f"decay_steps must be above 0, not {self.decay_steps}")
        if self.unit == "steps" and self.decay_steps <= self.warmup:
            raise ConfigError(f"decay_steps is {self.decay_steps}, warmup alone is {self.warmup}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The keys of every task."""

    task: str
    seed: int = 0
    training: LoopOptions
    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole run; `settings` is the task's own dataclass, its fields top-level keys of the file."""

    common: Common
    settings: Any

    def to_plain(self) -> dict[str, Any]:
        """Every value in effect, as the file could hold it."""
        plain: dict[str, Any] = {**to_plain(self.common), **to_plain(self.settings)}
        return plain

    def to_yaml(self) -> str:
        """Every value in effect, as YAML that can be trained from."""
        return yaml.safe_dump(self.to_plain(), sort_keys=False, allow_unicode=True)

    def to_json(self) -> str:
        """Canonical text; equal configurations give equal text."""
        return json.dumps(self.to_plain(), sort_keys=True)


def read_config(path: Path, changes: Sequence[str] = ()) -> Configuration:
    """Read a YAML file, apply KEY=VALUE lines; raises ConfigError with the file's line."""
    document = read_document(path)
    document.change(changes)
    return configure(document)


def configure(document: Document) -> Configuration:
    """The typed configuration of a document; raises ConfigError."""
    values = document.values
    shared = {f.name for f in fields(Common)}
    task = _task(document)
    settings_class = job_class(task).Settings
    own = {f.name for f in fields(settings_class) if f.init}
    check_keys(values, dict.fromkeys([*shared, *own]), document, ())
    common = build(Common, {k: v for k, v in values.items() if k in shared}, document)
    if common.seed < 0:
        raise ConfigError(f"{document.place(('seed',))}: seed must not be below 0, not {common.seed}")
    settings = build(settings_class, {k: v for k, v in values.items() if k in own}, document)
    return Configuration(common, settings)


def _task(document: Document) -> str:
    values: Mapping[str, Any] = document.values
    names = ", ".join(TASKS)
    if "task" not in values:
        raise ConfigError(f"{document.name}: the key 'task' is missing", hint=f"one of {names}")
    if values["task"] not in TASKS:
        raise ConfigError(
            f"{document.place(('task',))}: unknown task {values['task']!r}",
            hint=did_you_mean(values["task"], TASKS, f"one of {names}"),
        )
    return str(values["task"])

"""The state of a run on disk: written whole or not at all, read back without running anything it names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidalign._version import __version__
from vidalign.errors import ModelError, OutputMismatchError, StoreError
from vidalign.store.atomic import ELSEWHERE, atomic_path
from vidalign.training.config import Configuration
from vidalign.training.journal import METRICS
from vidalign.training.typed import differences
from vidalign.weights.cards import BACKBONE_FOLDER
from vidalign.weights.unpickle import load_checkpoint

STATE, BEST, MODEL, CONFIG = "state.pt", "best.pt", "model", "config.yaml"
CARD = "card.yaml"
"""The file of a model folder that is written last."""
FORMAT = 2
FREE = {("training", name) for name in ("workers", "threads", "log_every", "checkpoint_every")}
"""Keys that may change between two sittings: they do not reach the weights."""


@dataclass
class Progress:
    """How far a run is. `best` is the best value of the metric, `stale` the validations since.

    `pending` are, for each process, the losses of steps that no record of the journal covers yet, `seconds`
    the time trained.
    `order` is the order of the items in `epoch`, where it does not follow from the seed alone.
    """

    step: int = 0
    best: float | None = None
    best_step: int = 0
    stale: int = 0
    finished: bool = False
    seconds: float = 0.0
    pending: list[list[dict[str, float]]] = field(default_factory=list)
    epoch: int = -1
    order: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class State:
    """A checkpoint: progress, and the state dicts of objective, optimiser and gradient scaler."""

    progress: Progress
    objective: Mapping[str, Tensor]
    optimizer: dict[str, Any]
    scaler: dict[str, Any]


def write_state(folder: Path, state: State, config: Configuration, world: int) -> None:
    """Write DIR/state.pt; raises StoreError."""
    document = {
        "format": FORMAT,
        "vidalign": __version__,
        "config": config.to_json(),
        "world": world,
        "progress": asdict(state.progress),
        "objective": dict(state.objective),
        "optimizer": state.optimizer,
        "scaler": state.scaler,
    }
    _save(document, folder / STATE)


def read_state(folder: Path, config: Configuration, world: int) -> State | None:
    """What DIR/state.pt holds, None without one.

    Raises OutputMismatchError where it is of another configuration or number of processes, or where there
    is a model and no state, and ModelError on a file that is no state.
    """
    path = folder / STATE
    if not path.is_file():
        if any((folder / MODEL).glob("*")):
            raise OutputMismatchError(
                f"{folder / MODEL} is there, but no {STATE} to go on from",
                hint="use --overwrite to start anew",
            )
        return None
    document = load_checkpoint(path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ModelError(f"{path} is not a training state of this version", hint="use --overwrite")
    _same_run(path, document, config, world)
    progress = Progress(**document["progress"])
    return State(progress, document["objective"], document["optimizer"], document["scaler"])


def _same_run(path: Path, document: Mapping[str, Any], config: Configuration, world: int) -> None:
    hint = "use --overwrite to start anew, or another -o"
    found = differences(json.loads(document["config"]), json.loads(config.to_json()))
    changed = [f"{'.'.join(keys)} was {was!r}, is {now!r}" for keys, was, now in found if keys not in FREE]
    if changed:
        raise OutputMismatchError(
            f"{path} is of another configuration: {'; '.join(changed[:3])}"
            + (f"; and {len(changed) - 3} more" if len(changed) > 3 else ""),
            hint=hint,
        )
    if document["world"] != world:
        was = document["world"]
        raise OutputMismatchError(f"{path} was made by {was} processes, now there are {world}", hint=hint)


def write_best(folder: Path, objective: Mapping[str, Tensor], step: int) -> None:
    """Write DIR/best.pt; raises StoreError."""
    _save({"format": FORMAT, "step": step, "objective": dict(objective)}, folder / BEST)


def read_best(folder: Path) -> Mapping[str, Tensor]:
    """The best weights so far; raises ModelError."""
    tensors: Mapping[str, Tensor] = load_checkpoint(folder / BEST)["objective"]
    return tensors


def clear(folder: Path) -> None:
    """Remove what an earlier run wrote; raises StoreError."""
    made = [folder / name for name in (STATE, BEST, METRICS, CONFIG)]
    try:
        for path in (*made, *(folder / MODEL).glob("*")):
            if path.is_file() or path.is_symlink():
                path.unlink()
        if (inside := folder / MODEL / BACKBONE_FOLDER).is_dir():
            shutil.rmtree(inside)
    except OSError as error:
        raise StoreError(f"cannot clear {folder}: {error.strerror or error}", hint=ELSEWHERE) from error


def _save(document: dict[str, Any], path: Path) -> None:
    with atomic_path(path) as temporary:
        try:
            torch.save(document, temporary)
        except (OSError, RuntimeError) as error:
            raise StoreError(f"cannot write {path}: {error}", hint=ELSEWHERE) from error

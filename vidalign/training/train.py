"""A training run from its configuration to its model folder."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from vidalign.batch.device import choose_place
from vidalign.batch.outputs import check_writable
from vidalign.errors import ConfigError, DataError
from vidalign.store.atomic import write_text
from vidalign.training import checkpoint
from vidalign.training.checkpoint import Progress
from vidalign.training.config import Configuration
from vidalign.training.distributed import Ranks, first_goes_ahead, joined, ranks_of_torchrun
from vidalign.training.interrupts import held_back
from vidalign.training.jobs import Job, Run, job_class
from vidalign.training.journal import open_journal
from vidalign.training.loop import Loop, Watch
from vidalign.training.place import Place


@dataclass(frozen=True, slots=True)
class Trained:
    """The model folder and how the run ended; `fresh` is False where it had been finished before."""

    model: Path
    progress: Progress
    fresh: bool


def choose_training_place(device: str, precision: str, ranks: Ranks) -> Place:
    """The device of this process; `auto` precision is bf16 or fp16 on a GPU. Raises UsageError."""
    if ranks.world > 1 and device in ("auto", "cuda") and torch.cuda.is_available():
        device = f"cuda:{ranks.local}"
    name, usual = choose_place(device)
    if precision not in ("auto", "float32") and not name.startswith("cuda"):
        raise ConfigError(f"precision {precision} needs a GPU", hint="use precision: auto")
    place = torch.device(name)
    if place.type == "cuda":
        torch.cuda.set_device(place)
    return Place(place, usual if precision == "auto" else precision, ranks)


def make_job(config: Configuration, folder: Path) -> Job:
    """The job of a configuration; raises ConfigError."""
    common = config.common
    return job_class(common.task)(config.settings, Run(common.seed, folder, common.training.batch))


def train(
    config: Configuration,
    folder: Path,
    *,
    device: str = "auto",
    overwrite: bool = False,
    watch: Watch = lambda done, steps, note: None,
) -> Trained:
    """Run, or go on with, the training in `folder`; writes the model into DIR/model.

    Raises OutputMismatchError where `folder` holds another run, DataError on a loss that is no number.
    """
    options = config.common.training
    if options.threads:
        torch.set_num_threads(options.threads)
    ranks = ranks_of_torchrun()
    place = choose_training_place(device, options.precision, ranks)
    if overwrite and ranks.first:
        checkpoint.clear(folder)
    with joined(ranks, place.device), ExitStack() as stack:
        with first_goes_ahead(ranks):
            state = checkpoint.read_state(folder, config, ranks.world)
        model = folder / checkpoint.MODEL
        if state is not None and state.progress.finished and (model / checkpoint.CARD).is_file():
            return Trained(model, state.progress, fresh=False)
        if ranks.first:
            check_writable([folder / checkpoint.CONFIG])
            write_text(folder / checkpoint.CONFIG, config.to_yaml())
        job = make_job(config, folder)
        with first_goes_ahead(ranks):
            data = job.data("training")
        if data is None or not len(data):
            raise DataError("there is nothing to train on", hint="look at the section data")
        loop = Loop(config, folder, job, place, state)
        begin = loop.progress.step
        journal = stack.enter_context(open_journal(folder, begin)) if ranks.first else None
        loop.run(data, journal, stack.enter_context(held_back()), watch)
    return Trained(model, loop.progress, fresh=True)

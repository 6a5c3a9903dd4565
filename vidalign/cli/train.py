"""`vidalign train`: a configuration becomes a model."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidalign.cli.options import device_option, dry_run_option, json_option, talk_options

if TYPE_CHECKING:
    from vidalign.cli.output import Talk
    from vidalign.cli.progress import Meter
    from vidalign.training.config import Configuration
    from vidalign.training.train import Trained


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="CONFIG.yaml")
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the run: checkpoints, metrics, and model/ at the end.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another value for one key of the file, such as training.steps=2000; may be given more than once.",
)
@device_option
@click.option("--overwrite", is_flag=True, help="Start anew, whatever run the folder holds.")
@dry_run_option
@json_option
@talk_options
def train(
    config: Path,
    folder: Path,
    changes: tuple[str, ...],
    device: str,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
    talk: Talk,
) -> None:
    """Train a model as CONFIG.yaml says, and write it where `--model` finds it.

    A run that was interrupted goes on where it was when the same command is given again. Several GPUs:
    `torchrun --nproc-per-node N --no-python vidalign train ...`. Prints the path of the model folder.
    """
    from vidalign.cli.output import emit, emit_text
    from vidalign.training.config import read_config
    from vidalign.training.distributed import ranks_of_torchrun
    from vidalign.training.train import train as run_training

    first = ranks_of_torchrun().first
    if not first:
        talk.level = -1
    configuration = read_config(config, changes)
    if dry_run:
        emit_text(_plan(configuration, folder))
        return
    talk.say(_heading(configuration))
    with ExitStack() as stack:
        trained = run_training(
            configuration, folder, device=device, overwrite=overwrite, watch=_Watching(talk, stack)
        )
    if not trained.fresh:
        talk.say(f"{folder}: finished before, after {trained.progress.step} steps")
    if first:
        emit(_record(trained) if as_json else trained.model)


class _Watching:
    """Progress of a run, shown from its first message on."""

    def __init__(self, talk: Talk, stack: ExitStack) -> None:
        self._talk, self._stack = talk, stack
        self._meter: Meter | None = None

    def __call__(self, done: int, steps: int, note: str) -> None:
        if self._meter is None:
            if done:
                self._talk.say(f"going on after step {done} of {steps}")
            progress = self._talk.progress("train", steps, "steps", before=done)
            self._meter = self._stack.enter_context(progress)
        self._meter.update(done, steps, note)


def _heading(configuration: Configuration) -> str:
    lines = configuration.to_yaml().rstrip().replace("\n", "\n  ")
    return f"configuration:\n  {lines}"


def _plan(configuration: Configuration, folder: Path) -> str:
    from vidalign.training.train import make_job

    objective = make_job(configuration, folder).objective()
    count = sum(value.numel() for value in objective.decay_names().values())
    return f"{configuration.to_yaml()}# {count} parameters to train; nothing was written"


def _record(trained: Trained) -> dict[str, Any]:
    progress = trained.progress
    return {
        "model": str(trained.model),
        "steps": progress.step,
        "seconds": round(progress.seconds, 1),
        "best": progress.best,
        "best_step": progress.best_step if progress.best is not None else None,
    }

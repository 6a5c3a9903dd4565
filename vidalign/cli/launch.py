"""`--launch`: a command handed in as many jobs, a shard each."""

from __future__ import annotations

import functools
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import click
from click.core import ParameterSource

from vidalign.cli.options import Command, named_values

if TYPE_CHECKING:
    from vidalign.batch.launch import Launched, Where
    from vidalign.cli.output import Talk

PROGRAM = "from vidalign.cli.main import run; run()"
_OWN = ("launch", "jobs", "launch_options", "launch_logs")


def launch_options(command: Command) -> Command:
    """Add --launch and what belongs to it; the command runs only where it is not given.

    Stands nearer to the command than `talk_options`: it speaks through `talk`.
    """

    @click.option(
        "--launch",
        type=click.Choice(["no", "slurm", "local"]),
        default="no",
        show_default=True,
        help="Hand the work in as --jobs jobs, a shard each: to SLURM (prints the numbers of the jobs and "
        "leaves), or to this machine as a trial.",
    )
    @click.option("--jobs", type=click.IntRange(min=1), help="With --launch: how many jobs.")
    @click.option(
        "--launch-option",
        "launch_options",
        multiple=True,
        callback=named_values,
        metavar="NAME=VALUE",
        help="With --launch: what a job needs, such as partition=gpu, gpus_per_node=1, cpus_per_task=8, "
        "mem_gb=32, timeout_min=240, array_parallelism=50; repeatable.",
    )
    @click.option(
        "--launch-logs",
        type=click.Path(file_okay=False, path_type=Path),
        default="vidalign-jobs",
        show_default=True,
        help="With --launch: folder for what the jobs say; all machines must see it.",
    )
    @functools.wraps(command)
    def launching(
        launch: Where | Literal["no"],
        jobs: int | None,
        launch_options: dict[str, Any],
        launch_logs: Path,
        **values: Any,
    ) -> Any:
        if launch != "no":
            return _launch(launch, jobs, launch_options, launch_logs, values)
        if jobs is not None or launch_options:
            raise click.UsageError("--jobs and --launch-option go with --launch", click.get_current_context())
        return command(**values)

    return cast(Command, launching)


def start_delay_option(command: Command) -> Command:
    """Add --start-delay; the wait comes before the command, and none where it only says what it would do."""

    @click.option(
        "--start-delay",
        type=click.FloatRange(min=0),
        default=0.0,
        metavar="SECONDS",
        help="Wait a random time up to this first, so that many jobs do not fall upon one disk at once.",
    )
    @functools.wraps(command)
    def delayed(start_delay: float, **values: Any) -> Any:
        if start_delay and not values.get("dry_run"):
            time.sleep(random.SystemRandom().uniform(0, start_delay))
        return command(**values)

    return cast(Command, delayed)


def typed(ctx: click.Context, without: Sequence[str]) -> tuple[list[str], list[str]]:
    """The options and the arguments that were typed, rebuilt from what they were understood as.

    Values from the environment and from configuration files are left out: they reach the jobs by themselves.
    """
    options: list[str] = []
    arguments: list[str] = []
    for param in ctx.command.params:
        name = param.name or ""
        if name in without or ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value = ctx.params[name]
        if value is None:  # "auto", spelled out
            continue
        if isinstance(param, click.Option):
            options += _spelled(param, value)
        else:
            arguments += map(str, value if isinstance(value, tuple) else [value])
    return options, arguments


def _spelled(option: click.Option, value: Any) -> Iterator[str]:
    """One option as words: a flag, a flag counted, a value or several."""
    long = max(option.opts, key=len)
    if option.is_flag:
        yield long if value else max(option.secondary_opts, key=len)
    elif option.count:
        yield from [long] * value
    else:
        values = [f"{name}={single}" for name, single in value.items()] if isinstance(value, dict) else value
        for single in values if isinstance(values, list | tuple) else [value]:
            yield from (long, str(single))


def _launch(
    where: Where, jobs: int | None, needs: Mapping[str, Any], logs: Path, values: Mapping[str, Any]
) -> None:
    """Hand in the command being run; tell of each job."""
    from vidalign.batch.launch import launch

    ctx = click.get_current_context()
    if jobs is None or values.get("shard") is not None:
        raise click.UsageError(
            "--launch needs --jobs N" if jobs is None else "--launch deals the shards itself", ctx
        )
    options, arguments = typed(ctx, (*_OWN, "shard"))

    def command(shard: str) -> list[str]:
        mine = [str(ctx.info_name), "--launch", "no", "--shard", shard]
        return [sys.executable, "-c", PROGRAM, *mine, *options, "--", *arguments]

    sources = sys.stdin.buffer.read() if "-" in arguments else None
    failed = 0
    for job in launch(command, jobs, where, logs=logs, needs=needs, sources=sources):
        _tell(job, values["talk"], as_json=values["as_json"])
        failed += job.failed
    if failed:
        raise SystemExit(1)


def _tell(job: Launched, talk: Talk, *, as_json: bool) -> None:
    """The queue's name of a job to stdout, or all that is known as JSON; a failed one to stderr."""
    from vidalign.cli.output import emit_json, emit_text

    if job.failed:
        talk.warn(f"shard {job.shard} failed: see {job.log}")
    if as_json:
        emit_json({"shard": job.shard, "job": job.job, "log": str(job.log), "failed": job.failed})
    else:
        emit_text(job.job)

"""One command as many jobs, a shard each: handed to SLURM, or started here for a trial, through submitit."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from vidalign.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from submitit import Job
    from submitit.helpers import DelayedSubmission

Where = Literal["slurm", "local"]
MINUTES: Mapping[Where, int] = {"slurm": 240, "local": 30 * 24 * 60}
"""How long a job may take before it is stopped and queued again, unless `timeout_min` says otherwise."""
REQUEUES = 1000
"""How often a job that ran out of time is queued again; what it finished is not done twice."""
STOP_SECONDS = 30.0
_COMMON = ("cpus_per_task", "gpus_per_node", "mem_gb", "name", "nodes", "stderr_to_stdout", "timeout_min")
_DEAF = ("/bin/sh", "-c", 'trap "" USR1 USR2; exec "$@"', "sh")
"""Starts a command that outlives the signal by which SLURM warns all processes of a job of its end."""


@dataclass(frozen=True, slots=True)
class Launched:
    """One job: which share it does, what the queue calls it, where it writes what it says."""

    shard: str
    job: str
    log: Path
    failed: bool = False


@dataclass(frozen=True)
class ShardRun:
    """What a job does: a command line with its shard, run in `folder`; queued again when its time runs out.

    `leave`: end this process with the command's exit code, so that the queue knows it.
    """

    command: tuple[str, ...]
    folder: Path
    stdin: Path | None
    leave: bool

    def __call__(self) -> int:
        """Run it to its end; the exit code."""
        with (self.stdin or Path(os.devnull)).open("rb") as stdin, self._started(stdin) as process:
            code = process.wait()
        if code and self.leave:
            raise SystemExit(code)
        return code

    def checkpoint(self) -> DelayedSubmission:
        """What is queued in its place: the same, for what is finished is on disk."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

    @contextmanager
    def _started(self, stdin: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
        """The command's process, stopped when the job leaves before its end."""
        process = subprocess.Popen([*_DEAF, *self.command], cwd=self.folder, stdin=stdin)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()


def launch(
    command: Callable[[str], Sequence[str]],
    jobs: int,
    where: Where,
    *,
    logs: Path,
    needs: Mapping[str, Any],
    sources: bytes | None = None,
) -> Iterator[Launched]:
    """Hand in `command(shard)` for the shards 1/jobs to jobs/jobs, with `sources` on stdin.

    SLURM's jobs are told of at once, those started here as each ends. Raises MissingExtraError without
    submitit, UsageError where there is no SLURM or a need is unknown.
    """
    executor = _executor(where, logs, needs)
    stdin = None
    if sources is not None:
        stdin = logs.absolute() / f"sources-{os.getpid()}-{time.time_ns()}.txt"
        stdin.write_bytes(sources)
    shards = [f"{number}/{jobs}" for number in range(1, jobs + 1)]
    runs = [ShardRun(tuple(command(shard)), Path.cwd(), stdin, leave=where == "slurm") for shard in shards]
    with executor.batch():
        submitted = [executor.submit(run) for run in runs]
    if where == "slurm":
        for shard, job in zip(shards, submitted, strict=True):
            yield Launched(shard, job.job_id, job.paths.stderr)
        return
    yield from _ended(dict(zip(shards, submitted, strict=True)))


def _ended(jobs: dict[str, Job[int]]) -> Iterator[Launched]:
    """Jobs of this machine as each ends; those left are stopped when nobody waits any more."""
    try:
        while jobs:
            for shard, job in [(shard, job) for shard, job in jobs.items() if job.done()]:
                del jobs[shard]
                failed = job.exception() is not None or job.result() != 0
                yield Launched(shard, job.job_id, job.paths.stderr, failed)
            time.sleep(0.1)
    finally:
        for job in jobs.values():
            job.cancel()


def _executor(where: Where, logs: Path, needs: Mapping[str, Any]) -> Any:
    """submitit's executor, told what the jobs need."""
    try:
        from submitit import AutoExecutor
    except ImportError:
        raise MissingExtraError("--launch needs submitit", hint="pip install 'vidalign[slurm]'") from None
    told = {name if name in _COMMON else f"slurm_{name}": value for name, value in needs.items()}
    defaults = {"timeout_min": MINUTES[where], "name": "vidalign"}
    try:
        logs.mkdir(parents=True, exist_ok=True)
        executor = AutoExecutor(logs, where, **{f"{where}_max_num_timeout": REQUEUES})
        executor.update_parameters(**defaults | told)
    except OSError as error:
        raise UsageError(
            f"cannot write into {logs}: {error.strerror}", hint="give --launch-logs DIR"
        ) from None
    except RuntimeError as error:
        raise UsageError(f"no SLURM here: {error}", hint="try it with --launch local") from None
    except (NameError, ValueError, AssertionError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"--launch-option: {reason}", hint="NAME=VALUE as sbatch calls it") from None
    return executor

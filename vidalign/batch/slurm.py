"""What SLURM tells a task of an array about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vidalign.errors import UsageError

_PREFIX = "SLURM_ARRAY_TASK_"


@dataclass(frozen=True, slots=True)
class SlurmArray:
    """The array that this task belongs to, as it was submitted this time.

    A re-run of some tasks (`--array=3,7`) is an array of its own: its length is not that of the first.
    """

    task: int
    first: int
    last: int
    step: int
    count: int

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> SlurmArray:
        """From the environment; raises UsageError outside an array and on contradictory numbers."""
        task = _number(variables, "ID")
        if task is None:
            raise UsageError(
                "--shard auto takes its number from a SLURM array, and this is no task of one "
                f"({_PREFIX}ID is not set)",
                hint="say --shard I/N, or submit with sbatch --array",
            )
        first, last, step = (_number(variables, name) for name in ("MIN", "MAX", "STEP"))
        count = _number(variables, "COUNT")
        if first is None or last is None or count is None:
            raise UsageError(
                f"SLURM does not say which tasks the array has ({_PREFIX}MIN, _MAX, _COUNT)",
                hint="say --shard I/N",
            )
        array = cls(task, first, last, step or 1, count)
        if not first <= task <= last or not 1 <= count <= last - first + 1:
            raise UsageError(f"SLURM's variables contradict each other: {array!r}", hint="say --shard I/N")
        return array

    @property
    def length(self) -> int | None:
        """How many tasks the array has, where it runs evenly from its first to its last; else None."""
        steps, rest = divmod(self.last - self.first, self.step)
        return self.count if rest == 0 and steps + 1 == self.count else None

    def __str__(self) -> str:
        every = f":{self.step}" if self.step > 1 else ""
        return f"{self.first}-{self.last}{every} of {self.count} tasks"


def unused_array(variables: Mapping[str, str]) -> str:
    """A line of warning for a run in an array that is not told to take a share; empty elsewhere."""
    try:
        array = SlurmArray.read(variables)
    except UsageError:
        return ""
    if array.count == 1:
        return ""
    return (
        f"this is task {array.task} of a SLURM array of {array.count}, and without --shard "
        "every one of them goes over all items; --shard auto deals them out"
    )


def _number(variables: Mapping[str, str], name: str) -> int | None:
    text = variables.get(_PREFIX + name, "").strip()
    if not text:
        return None
    if not text.isdecimal():
        raise UsageError(f"{_PREFIX}{name} is no number: {text!r}", hint="say --shard I/N")
    return int(text)

"""Which of many runs does which items: dealt by a hash of the name, so that added files move no other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol, TypeVar

from vidalign.batch.slurm import SlurmArray
from vidalign.errors import OutputMismatchError, StoreError, UsageError

_ASKED = re.compile(r"(?:(?P<number>\d+)/|auto(?:/(?=\d)|$))(?P<total>\d+)?")
FORMS = "I/N, auto or auto/N"
"""What `--shard` takes."""


class Named(Protocol):
    """An item."""

    @property
    def name(self) -> str:
        """Path relative to its source, `/` between."""


Item = TypeVar("Item", bound=Named)


@dataclass(frozen=True, slots=True)
class Dealing:
    """Into how many shards items are dealt, and which array task has which: shard 1 is that of task `first`,
    shard 2 that of task `first + step`.
    """

    total: int
    first: int = 1
    step: int = 1

    def number_of(self, name: str) -> int:
        """The shard, from 1, of the item called `name`: by SHA-256, never by position."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8]) % self.total + 1

    def shard_of(self, task: int) -> int | None:
        """The shard, from 1, of an array task; None for a task that has none."""
        number, rest = divmod(task - self.first, self.step)
        return number + 1 if rest == 0 and 0 <= number < self.total else None

    def task_of(self, number: int) -> int:
        """The array task that has shard `number`."""
        return self.first + (number - 1) * self.step

    def tasks(self, names: Iterable[str]) -> list[int]:
        """The array tasks that have these items, sorted: what `sbatch --array` takes to run them again."""
        return sorted({self.task_of(self.number_of(name)) for name in names})

    def as_json(self) -> dict[str, int]:
        """As `run.json` holds it."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: object) -> Dealing:
        """Raises StoreError on anything that `as_json` did not make."""
        if isinstance(value, Mapping) and set(value) == {"total", "first", "step"}:
            numbers = [value[key] for key in ("total", "first", "step")]
            if all(type(number) is int and number >= 0 for number in numbers) and numbers[0] and numbers[2]:
                return cls(*numbers)
        raise StoreError(f"the record of shards is damaged: {value!r}", hint="choose another output folder")


@dataclass(frozen=True, slots=True)
class Shard:
    """One share of the items."""

    number: int
    dealing: Dealing

    def __str__(self) -> str:
        return f"{self.number}/{self.dealing.total}"

    def holds(self, name: str) -> bool:
        """Whether the item called `name` belongs to this share."""
        return self.dealing.number_of(name) == self.number

    def pick(self, items: Iterable[Item]) -> list[Item]:
        """Its items, in their order."""
        return [item for item in items if self.holds(item.name)]


@dataclass(frozen=True, slots=True)
class Asked:
    """What `--shard` says; None: `number` is the array task's, `total` the array's or the recorded one."""

    number: int | None
    total: int | None

    @classmethod
    def parse(cls, text: str) -> Asked:
        """From I/N (I counts from 1), auto or auto/N; raises ValueError."""
        found = _ASKED.fullmatch(text.strip())
        if found is None or (found["number"] and not found["total"]):
            raise ValueError(f"{text!r} is not {FORMS}")
        number, total = (int(found[key]) if found[key] else None for key in ("number", "total"))
        if total == 0 or (number is not None and total is not None and not 1 <= number <= total):
            raise ValueError(f"{text!r}: shards count from 1 to N")
        return cls(number, total)

    def choose(self, recorded: Sequence[Dealing | None], variables: Mapping[str, str]) -> Shard:
        """The shard, given how the output folders' first runs dealt (None: not yet) and the environment.

        Raises OutputMismatchError where this run would deal otherwise than the first, UsageError where the
        array's variables are missing or do not tell.
        """
        dealings = {dealing for dealing in recorded if dealing is not None}
        if len(dealings) > 1:
            said = " and ".join(str(dealing.total) for dealing in sorted(dealings, key=lambda d: d.total))
            raise OutputMismatchError(
                f"the output folders were dealt differently ({said} shards)",
                hint="run one backbone at a time",
            )
        known = next(iter(dealings), None)
        if known is not None and self.total not in (None, known.total):
            raise OutputMismatchError(
                f"the outputs were dealt into {known.total} shards, now {self.total} are asked for",
                hint=f"say --shard I/{known.total}, or leave --shard out to do all that is left",
            )
        if self.number is not None:
            return Shard(self.number, known or Dealing(self.total or 1))
        array = SlurmArray.read(variables)
        dealing = known or self._dealing(array)
        return Shard(_shard_of(array, dealing), dealing)

    def _dealing(self, array: SlurmArray) -> Dealing:
        """How a first run deals: the array counts the shards, unless they are counted and it is a part."""
        if array.length is not None and self.total in (None, array.length):
            return Dealing(array.length, array.first, array.step)
        if self.total is None:
            raise UsageError(
                f"SLURM's array {array} leaves numbers out, so it does not say how many shards there are",
                hint="say how many: --shard auto/N",
            )
        return Dealing(self.total)


def _shard_of(array: SlurmArray, dealing: Dealing) -> int:
    """The task's shard; refused for the whole array where one end of it has none."""
    number = dealing.shard_of(array.task)
    if number is None or None in (dealing.shard_of(array.first), dealing.shard_of(array.last)):
        last = dealing.task_of(dealing.total)
        every = f":{dealing.step}" if dealing.step > 1 else ""
        raise OutputMismatchError(
            f"SLURM's array {array} does not fit {dealing.total} shards, "
            f"which are the tasks {dealing.first}-{last}{every}",
            hint=f"submit with --array={dealing.first}-{last}{every}, or some of these tasks",
        )
    return number

"""What became of every item of a run, and the exit code that follows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from vidalign.errors import LowConfidenceError, VidalignError

Status = Literal["done", "partial", "skipped", "failed", "planned"]


@dataclass(frozen=True, slots=True)
class ItemResult:
    """One item's end. `skipped`: already done. `truncated`: made of a video that breaks off.

    `details` are further values for `--json`.
    """

    item: str
    status: Status
    source: str
    output: str = ""
    error: VidalignError | None = None
    warnings: tuple[str, ...] = ()
    truncated: bool = False
    details: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """One flat object."""
        record: dict[str, Any] = {
            "status": self.status,
            "item": self.item,
            "source": self.source,
            "output": self.output or None,
            **self.details,
        }
        if self.truncated:
            record["truncated"] = True
        if self.warnings:
            record["warnings"] = list(self.warnings)
        if self.error is not None:
            record |= {"error": self.error.kind, "message": self.error.message, "hint": self.error.hint}
        return record


class Report:
    """Counts results; `exit_code` is 0, or 1 if an item failed (with `strict` also for truncated ones).

    It is 3 where every failure is a confidence below the one asked for.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self._counts: Counter[Status] = Counter()
        self._truncated = 0
        self._unsure = 0

    def add(self, result: ItemResult) -> None:
        """Count one result."""
        self._counts[result.status] += 1
        self._truncated += result.truncated
        self._unsure += isinstance(result.error, LowConfidenceError)

    @property
    def worked(self) -> bool:
        """Whether an item was newly made."""
        return bool(self._counts["done"] or self._counts["partial"])

    @property
    def exit_code(self) -> int:
        """The code that a process should end with."""
        failed = self._counts["failed"] + (self._truncated if self._strict else 0)
        if failed and failed == self._unsure:
            return LowConfidenceError.exit_code
        return int(failed > 0)

    def __str__(self) -> str:
        said: list[tuple[Status, str]] = [
            ("done", "done"),
            ("partial", "partial"),
            ("skipped", "already done"),
            ("planned", "to do"),
            ("failed", "failed"),
        ]
        parts = [f"{self._counts[status]} {words}" for status, words in said if self._counts[status]]
        total = self._counts.total()
        text = f"{total} item{'' if total == 1 else 's'}: " + (", ".join(parts) or "nothing to do")
        if total > 1 and self._counts["failed"] == total:
            text += "; all of them failed, so look at the set-up before the files"
        return text

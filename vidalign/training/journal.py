"""What a run tells: one JSON line a logged step, and the same to TensorBoard where that is installed."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

from vidalign.store.atomic import cannot_write, write_text

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

METRICS = "metrics.jsonl"
TENSORBOARD = "tensorboard"

Numbers = Mapping[str, float]


class Journal:
    """Appends records to an open file; numbers that JSON has not (NaN, infinities) become null."""

    def __init__(self, lines: TextIOWrapper, board: SummaryWriter | None) -> None:
        self._lines, self._board = lines, board

    def write(self, step: int, numbers: Numbers, prefix: str = "") -> None:
        """One record {"step": ..., prefix + name: number, ...}, at once on disk."""
        named = {prefix + name: value for name, value in numbers.items()}
        finite = {name: value if math.isfinite(value) else None for name, value in named.items()}
        self._lines.write(json.dumps({"step": step, **finite}) + "\n")
        self._lines.flush()
        if self._board is not None:
            for name, value in named.items():
                self._board.add_scalar(name, value, step)


@contextmanager
def open_journal(folder: Path, step: int) -> Iterator[Journal]:
    """A journal that goes on after `step`: what an interrupted run wrote later is cut off first."""
    path = folder / METRICS
    kept = list(_until(path, step)) if step else []
    write_text(path, "".join(kept))
    board = _tensorboard(folder / TENSORBOARD, step)
    try:
        with path.open("a", encoding="utf-8") as lines:
            yield Journal(lines, board)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if board is not None:
            board.close()


def _until(path: Path, step: int) -> Iterator[str]:
    try:
        lines = path.read_text("utf-8", "replace").splitlines(keepends=True)
    except FileNotFoundError:
        return
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            return
        if not isinstance(record, dict) or not line.endswith("\n") or record.get("step", 0) > step:
            return
        yield line


def _tensorboard(folder: Path, step: int) -> SummaryWriter | None:
    if find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1)

"""The way between the host's memory and a device's: on a GPU beside the work, elsewhere nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Arriving(NamedTuple):
    """Rows on their way to the host; they may be read after `wait`."""

    rows: Tensor
    event: torch.cuda.Event | None

    def wait(self) -> Tensor:
        """The rows, on the host."""
        if self.event is not None:
            self.event.synchronize()
        return self.rows


class Lane:
    """Copies to one device and back; on a GPU from pinned memory and on a stream of their own."""

    def __init__(self, place: torch.device) -> None:
        self._place = place
        self._stream = torch.cuda.Stream(place) if place.type == "cuda" else None  # type: ignore[no-untyped-call]

    def send(self, pictures: Sequence[NDArray[Any]]) -> Tensor:
        """Pictures (H, W, 3) of one size -> (n, H, W, 3) on the device, ready for the work that follows."""
        first = pictures[0]
        kind = torch.from_numpy(np.empty(0, first.dtype)).dtype
        held = torch.empty((len(pictures), *first.shape), dtype=kind, pin_memory=self._stream is not None)
        np.stack(pictures, out=held.numpy())
        if self._stream is None:
            return held.to(self._place)
        work = torch.cuda.current_stream(self._place)
        with torch.cuda.stream(self._stream):
            sent = held.to(self._place, non_blocking=True)
        work.wait_stream(self._stream)
        sent.record_stream(work)
        return sent

    def fetch(self, rows: Tensor) -> Arriving:
        """Rows (B, D) that the device is still computing, perhaps."""
        if self._stream is None:
            return Arriving(rows.cpu(), None)
        held = torch.empty(rows.shape, dtype=rows.dtype, pin_memory=True)
        held.copy_(rows, non_blocking=True)
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self._place))
        return Arriving(held, event)

"""How many clips run together."""

from __future__ import annotations

import logging

import torch

from vidalign.errors import ModelError

log = logging.getLogger(__name__)

CPU_BATCH = 2
"""More costs a CPU time: what two clips take along still fits its cache."""
GPU_BATCH = 32
"""What a GPU runs where the number is to stay the same."""
FIRST_BATCH = 8
"""What a GPU runs first, to see how much memory a clip takes."""
MOST_CLIPS = 64
"""More gains nothing on a GPU either."""
SHARE = 0.5
"""Of the free memory of a GPU, what one batch may take."""


class BatchSize:
    """Clips in a batch: on a CPU a fixed number; on a GPU as many as fit well, found by a first batch.

    `fixed` finds nothing. Whenever memory runs out the number is halved.
    """

    def __init__(self, place: torch.device, *, fixed: bool = False) -> None:
        self._place = place
        self._to_find = place.type == "cuda" and not fixed
        usual = CPU_BATCH if place.type == "cpu" else GPU_BATCH
        self.clips = FIRST_BATCH if self._to_find else usual
        self._before = 0

    def begin(self) -> None:
        """Called before a batch."""
        if self._to_find:
            torch.cuda.reset_peak_memory_stats(self._place)
            self._before = torch.cuda.memory_allocated(self._place)

    def done(self, clips: int) -> None:
        """Called after a batch of so many clips."""
        if self._to_find and clips == self.clips:
            taken = torch.cuda.max_memory_allocated(self._place) - self._before
            torch.cuda.empty_cache()
            free, _ = torch.cuda.mem_get_info(self._place)
            self.clips = fitting(taken // clips, free)
            self._to_find = False
            log.info("%d clips at a time on %s", self.clips, self._place)

    def halve(self, tried: int) -> None:
        """Called when the memory ran out on so many clips; raises ModelError where it was one."""
        if self._place.type == "cuda":
            torch.cuda.empty_cache()
        if tried == 1:
            raise ModelError(
                f"one clip does not fit into the memory of {self._place}",
                hint="free the memory, give a --recipe with smaller clips, or use --device cpu",
            )
        self._to_find = False
        self.clips = tried // 2
        log.warning(
            "the memory of %s ran out; clips that run together from now on: %d", self._place, self.clips
        )


def fitting(clip_bytes: int, free: int) -> int:
    """The largest power of two of such clips within the share of the free memory; one at least."""
    most = int(free * SHARE) // max(clip_bytes, 1)
    return 1 << (min(max(most, 1), MOST_CLIPS).bit_length() - 1)

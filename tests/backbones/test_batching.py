"""How many clips run together on a GPU, whose memory is told here; no test needs one."""

from __future__ import annotations

import pytest
import torch

from vidalign.backbones.batching import (
    CPU_BATCH,
    FIRST_BATCH,
    GPU_BATCH,
    MOST_CLIPS,
    BatchSize,
    fitting,
)

GPU = torch.device("cuda:0")
CLIP = 2**30


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A GPU on which a batch of the first size takes a gigabyte a clip; `free` may be changed."""
    told = {"free": 40 * CLIP}
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda place: None)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda place: CLIP)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda place: (1 + FIRST_BATCH) * CLIP)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda place: (told["free"], 80 * CLIP))
    return told


def test_the_first_full_batch_tells_how_many_fit(memory: dict[str, int]) -> None:
    size = BatchSize(GPU)
    assert size.clips == FIRST_BATCH
    size.begin()
    size.done(FIRST_BATCH - 1)
    assert size.clips == FIRST_BATCH
    size.begin()
    size.done(FIRST_BATCH)
    assert size.clips == 16
    memory["free"] = 1
    size.begin()
    size.done(16)
    assert size.clips == 16


@pytest.mark.parametrize(
    ("free", "clips"), [(1, 1), (2 * CLIP, 1), (15 * CLIP, 4), (16 * CLIP, 8), (10**6 * CLIP, MOST_CLIPS)]
)
def test_a_batch_takes_half_of_the_free_memory_at_most(free: int, clips: int) -> None:
    assert fitting(CLIP, free) == clips


def test_what_runs_out_is_halved_and_no_longer_searched(memory: dict[str, int]) -> None:
    size = BatchSize(GPU)
    size.halve(FIRST_BATCH)
    assert size.clips == FIRST_BATCH // 2
    size.begin()
    size.done(FIRST_BATCH // 2)
    assert size.clips == FIRST_BATCH // 2


@pytest.mark.parametrize(("place", "clips"), [("cpu", CPU_BATCH), ("cuda", GPU_BATCH), ("mps", GPU_BATCH)])
def test_a_fixed_number_asks_no_device(place: str, clips: int) -> None:
    size = BatchSize(torch.device(place), fixed=True)
    size.begin()
    size.done(clips)
    assert size.clips == clips

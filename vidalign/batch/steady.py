"""The number of threads that networks compute with, on which the last bits of what they give depend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


def usual_threads() -> int:
    """What torch takes by itself on this machine."""
    import torch

    return torch.get_num_threads()


@contextmanager
def computing_with(threads: int | None) -> Iterator[None]:
    """Meanwhile torch, and what asks it, compute with so many threads; None: with as many as usual."""
    if threads is None or threads == (usual := usual_threads()):
        yield
        return
    import torch

    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(usual)

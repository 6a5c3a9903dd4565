"""Where the model runs and in what precision, decided without torch where there is no GPU."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

from vidalign.errors import UsageError

_KNOWN = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_LINUX_GPUS = ("nvidia[0-9]*", "kfd", "dxg")
"""Device files of NVIDIA, AMD, and of either under WSL."""


class Place(NamedTuple):
    """A torch device and the precision of the model's arithmetic: float32, bf16 or fp16."""

    device: str
    precision: str


def choose_place(device: str) -> Place:
    """`auto` takes the first GPU that torch can use, else the CPU; raises UsageError for an absent one."""
    if not _KNOWN.fullmatch(device):
        raise UsageError(f"unknown device {device!r}", hint="use auto, cpu, cuda, cuda:N or mps")
    if device == "cpu" or (device == "auto" and not _may_have_gpu()):
        return Place("cpu", "float32")
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "mps" and torch.backends.mps.is_available():
        return Place("mps", "float32")
    if device == "auto" and not count:
        return Place("cpu", "float32")
    name = "cuda" if device == "auto" else device
    if name == "mps" or int(name.partition(":")[2] or 0) >= count:
        raise UsageError(
            f"device {device!r} is not there: torch finds {count} GPUs", hint="use --device auto or cpu"
        )
    return Place(name, "bf16" if torch.cuda.is_bf16_supported() else "fp16")


def _may_have_gpu() -> bool:
    return sys.platform != "linux" or any(any(Path("/dev").glob(name)) for name in _LINUX_GPUS)

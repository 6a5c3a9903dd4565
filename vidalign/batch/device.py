"""Where the model runs and in what precision, decided without torch where there is no GPU."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

from vidalign.errors import UsageError

_KNOWN = re.compile(r"auto|cpu|mps|cuda(:\d+(,\d+)*)?")
_LINUX_GPUS = ("nvidia[0-9]*", "kfd", "dxg")
"""Device files of NVIDIA, AMD, and of either under WSL."""


class Place(NamedTuple):
    """A torch device and the precision of the model's arithmetic: float32, bf16 or fp16."""

    device: str
    precision: str


def choose_place(device: str) -> Place:
    """`auto` takes the first GPU that torch can use, else the CPU; raises UsageError for an absent one, and
    for several."""
    places = choose_places(device)
    if len(places) > 1:
        raise UsageError(f"one device is needed, not {device!r}", hint=f"use --device {places[0].device}")
    return places[0]


def choose_places(device: str) -> tuple[Place, ...]:
    """As `choose_place`, and `cuda:0,1,...` for several GPUs, each once."""
    if not _KNOWN.fullmatch(device):
        raise UsageError(f"unknown device {device!r}", hint="use auto, cpu, cuda, cuda:N, cuda:N,M or mps")
    if device == "cpu" or (device == "auto" and not _may_have_gpu()):
        return (Place("cpu", "float32"),)
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "mps" and torch.backends.mps.is_available():
        return (Place("mps", "float32"),)
    if device == "auto" and not count:
        return (Place("cpu", "float32"),)
    numbers = _numbers(device)
    if device == "mps" or max(numbers, default=0) >= count:
        raise UsageError(
            f"device {device!r} is not there: torch finds {count} GPUs", hint="use --device auto or cpu"
        )
    precision = "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    return tuple(Place(name, precision) for name in [f"cuda:{number}" for number in numbers] or ["cuda"])


def _numbers(device: str) -> list[int]:
    """The GPUs that are named; raises UsageError where one is named twice."""
    numbers = [int(number) for number in device.partition(":")[2].split(",") if number]
    if len(set(numbers)) < len(numbers):
        raise UsageError(f"device {device!r} names a GPU twice", hint="name each once")
    return numbers


def _may_have_gpu() -> bool:
    return sys.platform != "linux" or any(any(Path("/dev").glob(name)) for name in _LINUX_GPUS)

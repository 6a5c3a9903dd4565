"""Where the model runs and in what precision, decided without torch where there is no GPU."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from vidalign.errors import UsageError


class Place(NamedTuple):
    """A torch device and the precision of the model's arithmetic: float32, bf16 or fp16."""

    device: str
    precision: str


def choose_place(device: str) -> Place:
    """`auto` takes the first GPU that torch can use, else the CPU; raises UsageError for an absent one."""
    if device == "cpu" or (device == "auto" and not any(Path("/dev").glob("nvidia[0-9]*"))):
        return Place("cpu", "float32")
    import torch

    if not torch.cuda.is_available():
        if device == "auto":
            return Place("cpu", "float32")
        raise UsageError(f"device {device!r} is not there: torch finds no GPU", hint="use --device cpu")
    name = "cuda" if device == "auto" else device
    try:
        index = torch.device(name).index or 0
    except RuntimeError:
        raise UsageError(f"unknown device {device!r}", hint="use auto, cpu, cuda or cuda:N") from None
    if index >= torch.cuda.device_count():
        raise UsageError(f"device {device!r} is not there", hint=f"{torch.cuda.device_count()} GPUs are")
    return Place(name, "bf16" if torch.cuda.is_bf16_supported() else "fp16")

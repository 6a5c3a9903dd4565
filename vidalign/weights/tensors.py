"""Tensors on disk: safetensors files, the only format that vidalign computes with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from vidalign.errors import ModelError


def load_tensors(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """All tensors of a safetensors file, on the CPU; raises ModelError when it cannot be read."""
    try:
        return load_file(Path(path), device="cpu")
    except (OSError, SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(f"{path}: cannot be read as safetensors: {reason}") from None


def save_tensors(path: str | os.PathLike[str], tensors: Mapping[str, torch.Tensor]) -> None:
    """Write a safetensors file; equal tensors give equal bytes, shared storage is written out per name."""
    save_file({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, Path(path))

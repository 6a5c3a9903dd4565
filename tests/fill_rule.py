"""Deterministic weights from tensor names: the rule that the golden values were made with (their rule A)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch


def filled(name: str, shape: tuple[int, ...], *, integer: bool = False) -> torch.Tensor:
    """The tensor of that name and shape."""
    if integer:
        return torch.zeros(shape, dtype=torch.int64)
    count = int(np.prod(shape))
    wave = np.sin(zlib.crc32(name.encode()) % 1000 / 100 + 0.37 * np.arange(count, dtype=np.float64))
    if name.endswith("running_var"):
        values = 1 + 0.1 * wave**2
    elif len(shape) > 1:
        values = wave / np.sqrt(np.prod(shape[1:]))
    else:
        values = 1 + 0.1 * wave if name.endswith("weight") else 0.02 * wave
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)


def fill_module(module: torch.nn.Module) -> None:
    """Load every state-dict entry of `module` from its name."""
    state = {
        name: filled(name, tuple(t.shape), integer=not t.is_floating_point())
        for name, t in module.state_dict().items()
    }
    module.load_state_dict(state, strict=True)


def fill_shapes(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Tensors for a name -> shape table."""
    return {n: filled(n, s, integer=n.endswith("num_batches_tracked")) for n, s in shapes.items()}


def read_keys(path: Path) -> dict[str, tuple[int, ...]]:
    """A `name TAB shape [TAB dtype]` file as an ordered table."""
    table = {}
    for line in path.read_text().splitlines():
        name, shape = line.split("\t")[:2]
        table[name] = tuple(int(n) for n in shape.strip("()").split(",") if n.strip())
    return table


def ramp(
    shape: tuple[int, ...], rule: Callable[[np.ndarray], np.ndarray], step: float = 0.013
) -> torch.Tensor:
    """`rule(step * n)` over the flat index n."""
    values = rule(step * np.arange(np.prod(shape), dtype=np.float64))
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)

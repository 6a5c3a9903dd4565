"""Deterministic weights from tensor names: the two rules that the golden values were made with."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

Rule = Callable[..., torch.Tensor]
"""(name, shape, integer=...) -> the tensor of that name and shape."""


def filled(name: str, shape: tuple[int, ...], *, integer: bool = False) -> torch.Tensor:
    """The tensor of that name and shape by rule A: sines of the flat index."""
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


def filled_b(name: str, shape: tuple[int, ...], *, integer: bool = False) -> torch.Tensor:
    """The tensor of that name and shape by rule B: draws of a generator that the name seeds."""
    if integer:
        return torch.zeros(shape, dtype=torch.int64)
    rng = np.random.RandomState(zlib.crc32(name.encode()))
    if name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
        values = rng.uniform(0.5, 1.5, shape)
    elif name.endswith(("running_mean", "bias")):
        values = rng.normal(0, 0.1, shape)
    else:
        values = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
    return torch.from_numpy(np.asarray(values, np.float32))


def noise(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    """The input of rule B's golden values: uniform in -1..1."""
    return torch.from_numpy(np.random.RandomState(seed).uniform(-1, 1, shape).astype(np.float32))


def fill_module(module: torch.nn.Module, rule: Rule = filled) -> None:
    """Load every state-dict entry of `module` from its name."""
    state = {
        name: rule(name, tuple(t.shape), integer=not t.is_floating_point())
        for name, t in module.state_dict().items()
    }
    module.load_state_dict(state, strict=True)


def fill_shapes(shapes: Mapping[str, tuple[int, ...]], rule: Rule = filled) -> dict[str, torch.Tensor]:
    """Tensors for a name -> shape table."""
    return {n: rule(n, s, integer=n.endswith("num_batches_tracked")) for n, s in shapes.items()}


def read_keys(path: Path) -> dict[str, tuple[int, ...]]:
    """A `name TAB shape [TAB dtype]` file as an ordered table; lines that begin with # are no entries."""
    table = {}
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            continue
        name, shape = line.split("\t")[:2]
        table[name] = tuple(int(n) for n in shape.strip("()[]").split(",") if n.strip())
    return table


def ramp(
    shape: tuple[int, ...], rule: Callable[[np.ndarray], np.ndarray], step: float = 0.013
) -> torch.Tensor:
    """`rule(step * n)` over the flat index n."""
    values = rule(step * np.arange(np.prod(shape), dtype=np.float64))
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)

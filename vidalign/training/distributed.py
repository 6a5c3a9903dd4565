"""Several processes under torchrun: who is who, and what they agree on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from vidalign.errors import UsageError


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process's number, how many there are, and its number on this machine."""

    rank: int = 0
    world: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0


def ranks_of_torchrun() -> Ranks:
    """What torchrun says in the environment; alone without it."""
    try:
        rank, world, local = (int(os.environ.get(name, default)) for name, default in _VARIABLES)
    except ValueError:
        raise UsageError("RANK, WORLD_SIZE and LOCAL_RANK are not numbers", hint="use torchrun") from None
    return Ranks(rank, world, local)


_PATIENCE = timedelta(hours=2)
"""How long the others wait for the first process, which prepares data and validates."""
_wrappers: list[DistributedDataParallel] = []
_VARIABLES = (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))


@contextmanager
def joined(ranks: Ranks, device: torch.device) -> Iterator[None]:
    """Inside, the processes can talk: over NCCL on GPUs, over gloo otherwise.

    What `wrapped` made there must not be used after. Where it outlived the group, the last reference to the
    group would be dropped by code that holds Python's lock, while the group's threads may wait for it.
    """
    if ranks.world == 1:
        yield
        return
    # Its defaults keep the group that is there when it is first imported, which DistributedDataParallel does.
    import_module("torch.distributed.nn.functional")
    backend = "nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield
    finally:
        while _wrappers:
            vars(_wrappers.pop()).clear()
        distributed.destroy_process_group()


@contextmanager
def first_goes_ahead(ranks: Ranks) -> Iterator[None]:
    """The first process runs the body before the others, so that they find what it made on disk.

    Where it fails there, the others run into the same error instead of waiting.
    """
    if ranks.world > 1 and not ranks.first:
        distributed.barrier()
    try:
        yield
    finally:
        if ranks.world > 1 and ranks.first:
            distributed.barrier()


def wrapped(objective: nn.Module, ranks: Ranks, device: torch.device) -> nn.Module:
    """The objective, its gradients averaged over all processes; each parameter must get one in every step."""
    if ranks.world == 1:
        return objective
    devices = [device] if device.type == "cuda" else None
    wrapper = DistributedDataParallel(objective, device_ids=devices)
    _wrappers.append(wrapper)
    return wrapper


def mean_over_ranks(values: Tensor, ranks: Ranks) -> Tensor:
    """The mean of a tensor over all processes."""
    if ranks.world > 1:
        distributed.all_reduce(values)
        values /= ranks.world
    return values


def of_all_ranks(values: Tensor, ranks: Ranks) -> Tensor:
    """The tensors (...) of all processes, of one shape, as (processes, ...)."""
    if ranks.world == 1:
        return values[None]
    found = [torch.empty_like(values) for _ in range(ranks.world)]
    distributed.all_gather(found, values)
    return torch.stack(found)


def any_rank(flag: int, ranks: Ranks, device: torch.device) -> int:
    """The largest of the processes' numbers."""
    if ranks.world == 1:
        return flag
    value = torch.tensor(flag, device=device)
    distributed.all_reduce(value, distributed.ReduceOp.MAX)
    return int(value.item())


def from_first(value: float, ranks: Ranks, device: torch.device) -> float:
    """The first process's number, in every process."""
    if ranks.world == 1:
        return value
    shared = torch.tensor(value, dtype=torch.float64 if device.type != "mps" else None, device=device)
    return float(tensor_from_first(shared, ranks).item())


def tensor_from_first(values: Tensor, ranks: Ranks) -> Tensor:
    """The first process's values, in every process; the others give a tensor of the same shape and type."""
    if ranks.world > 1:
        distributed.broadcast(values, 0)
    return values

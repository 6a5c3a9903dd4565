"""Losses between two records: kept on the device, so that no step waits for the GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from vidalign.training.distributed import Ranks, mean_over_ranks, of_all_ranks


class LossMeter:
    """Named scalars of consecutive steps; every step has the same names, "loss" among them."""

    def __init__(self, pending: Sequence[Mapping[str, float]] = ()) -> None:
        self._steps: list[dict[str, Tensor]] = [
            {name: torch.tensor(value) for name, value in step.items()} for step in pending
        ]

    def add(self, losses: dict[str, Tensor]) -> None:
        """Take the scalars of one more step."""
        self._steps.append({name: value.detach() for name, value in losses.items()})

    def take(self, ranks: Ranks, device: torch.device) -> dict[str, float]:
        """The means over steps and processes; empties the meter.

        One step's loss that is not finite shows in the mean; other scalars are averaged where they are.
        """
        names, table = self._table(device)
        self._steps.clear()
        counted = table.isfinite()
        counted[:, names.index("loss")] = True
        means = torch.where(counted, table, 0).sum(0) / counted.sum(0)
        return dict(zip(names, mean_over_ranks(means, ranks).tolist(), strict=True))

    def state(self, ranks: Ranks, device: torch.device) -> list[list[dict[str, float]]]:
        """What a checkpoint keeps of the steps not yet recorded, of each process."""
        if not self._steps:
            return []
        names, table = self._table(device)
        tables = of_all_ranks(table, ranks).tolist()
        return [[dict(zip(names, row, strict=True)) for row in rows] for rows in tables]

    def __bool__(self) -> bool:
        return bool(self._steps)

    def _table(self, device: torch.device) -> tuple[list[str], Tensor]:
        names = sorted(self._steps[0])
        rows = [torch.stack([step[name].to(device).float() for name in names]) for step in self._steps]
        return names, torch.stack(rows)

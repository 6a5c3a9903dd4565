"""Where a process trains."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from vidalign.training.distributed import Ranks


@dataclass(frozen=True, slots=True)
class Place:
    """Where this process trains: its device, the precision of the arithmetic, and its rank."""

    device: torch.device
    precision: str
    ranks: Ranks

    def arithmetic(self) -> torch.autocast:
        """Inside, a network computes in the precision."""
        kinds = {"bf16": torch.bfloat16, "fp16": torch.float16}
        kind = kinds.get(self.precision, torch.float32)
        return torch.autocast(self.device.type, kind, enabled=kind is not torch.float32)

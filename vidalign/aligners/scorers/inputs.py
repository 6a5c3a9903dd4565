"""What every scorer does with its inputs: features of the right width, texts in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from vidalign.aligners.tokens import Tokenizer
from vidalign.errors import DataError

TEXT_BATCH = 256


def clips_tensor(features: NDArray[Any], width: int, device: torch.device) -> Tensor:
    """Features (..., D) as float32 on the device; raises DataError unless D is `width`."""
    if features.shape[-1] != width:
        raise DataError(
            f"the features are {features.shape[-1]} wide, this model wants {width}",
            hint="extract them with the backbone and layer that the model card names",
        )
    return torch.tensor(features, dtype=torch.float32).to(device)


def embedded(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    embed: Callable[[Tensor, Tensor], Tensor],
    width: int,
    device: torch.device,
) -> Tensor:
    """Vectors (K, `width`) of texts; `embed` gives those of token ids (K, W) with their mask (K, W)."""
    ids, mask = (torch.from_numpy(array) for array in tokenizer(texts))
    parts = [
        embed(ids[i : i + TEXT_BATCH].to(device), mask[i : i + TEXT_BATCH].to(device))
        for i in range(0, len(texts), TEXT_BATCH)
    ]
    return torch.cat(parts) if parts else torch.zeros(0, width)

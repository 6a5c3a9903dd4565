"""What a child that reads videos does; imported there, it brings along all that reading needs."""

from __future__ import annotations

import torch

from vidalign.batch.reading import read
from vidalign.video.open import decord_works

__all__ = ["read"]

torch.set_num_threads(1)
decord_works()

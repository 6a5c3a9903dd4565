"""Write the weights that come with the package, and say what the card must say of them."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from vidalign.weights.cache import hash_file
from vidalign.weights.tensors import save_tensors

OPPONENT = [[0.299, 0.587, 0.114], [0.5, -0.5, 0.0], [0.25, 0.25, -0.5]]
"""Brightness, red against green, yellow against blue, of red, green and blue."""

PLACE = Path(__file__).parent / "vidalign_colour_grid" / "bundled" / "colour-grid.safetensors"


def main(path: Path = PLACE) -> None:
    """Write the file; prints its size and SHA-256."""
    save_tensors(path, {"opponent.weight": torch.tensor(OPPONENT).reshape(3, 3, 1, 1, 1)})
    print(f"size: {path.stat().st_size}\nsha256: {hash_file(path)}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

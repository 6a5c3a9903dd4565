"""A backbone from another package: cards, the family of their network, and an entry point in pyproject.toml.

The network is named, not imported: `vidalign models list` needs no torch.
"""

from vidalign.weights.plugins import Family, Plugin

PLUGIN = Plugin(
    "vidalign_colour_grid:cards", {"colour-grid": Family("vidalign_colour_grid.network:ColourGrid")}
)

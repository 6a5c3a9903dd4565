"""What to do with real footage when only the bundled model is there, which knows a drawn world."""

from __future__ import annotations

from vidalign.weights.cache import missing_roles
from vidalign.weights.cards import get_card
from vidalign.weights.plugins import missing_extra

REAL_FOOTAGE = "clip-vit-b32"
"""The model to take first: its weights are a download away, and it knows pictures and words of the web."""


def way_to_real_footage() -> str:
    """The steps that are left on this machine, for a message."""
    card = get_card(REAL_FOOTAGE)
    steps = []
    if card.backbone is not None and (line := missing_extra(card.backbone.family)):
        steps.append(f"`{line}`")
    if missing_roles(card):
        steps.append(f"`vidalign models fetch {REAL_FOOTAGE}`")
    return "for real footage: " + ", then ".join([*steps, f"`--model {REAL_FOOTAGE}`"])


def is_ready(name: str) -> bool:
    """Whether the packages that a model's backbone needs are installed."""
    card = get_card(name)
    return card.backbone is None or not missing_extra(card.backbone.family)

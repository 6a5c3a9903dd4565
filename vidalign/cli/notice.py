"""What a user must know of the bundled model before trusting it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidalign.weights.cards import get_card
from vidalign.weights.defaults import BUNDLED

if TYPE_CHECKING:
    from vidalign.cli.output import Talk


def notice(model: str, talk: Talk) -> None:
    """Say in plain words that the bundled model knows only its drawn world; nothing for other models."""
    card = get_card(model)
    if card.name == BUNDLED:
        world = card.knows.removesuffix(" only")
        talk.say(f"model {card.name} knows only {world}: on real footage its result means nothing")

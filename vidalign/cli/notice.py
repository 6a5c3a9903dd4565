"""What a user must know of the bundled model before trusting it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidalign.weights.cards import get_card
from vidalign.weights.defaults import BUNDLED
from vidalign.weights.real_footage import way_to_real_footage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vidalign.aligners.registry import Aligner
    from vidalign.cli.output import Talk


def notice(model: str, talk: Talk) -> None:
    """Say in plain words that the bundled model knows only its drawn world, and what knows the real one;
    nothing for other models."""
    card = get_card(model)
    if card.name == BUNDLED:
        world = card.knows.removesuffix(" only")
        told = f"model {card.name} knows only {world}: on real footage its result means nothing"
        talk.say(f"{told} ({way_to_real_footage()})")


def doubt_words(texts: Iterable[str], aligner: Aligner, talk: Talk) -> None:
    """Warn where the model has never seen much of what is asked."""
    from vidalign.batch.verdict import KNOWN_ENOUGH, vocabulary_warning
    from vidalign.types import Sentence

    known = aligner.scorer.known_words([Sentence(text, None, None, 0, 0) for text in texts])
    if known is not None and known < KNOWN_ENOUGH:
        talk.warn(vocabulary_warning(known, aligner.card))

"""One line on what an alignment is worth, and the warning when a model does not know the words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from vidalign.types import Alignment
from vidalign.weights.cache import how_to_get, missing_roles
from vidalign.weights.cards import ModelCard, backbone_of, get_card, list_cards
from vidalign.weights.defaults import BUNDLED
from vidalign.weights.real_footage import REAL_FOOTAGE, is_ready, way_to_real_footage

KNOWN_ENOUGH = 0.5
"""Below this share of known words the user is warned."""

KNOWS_MORE = "tan-htm370k"
"""The model to recommend second to those who have only the bundled one."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The verdict on one alignment.

    `median_shift` is segment middle minus sentence middle in seconds, None without any; `confidence` is the
    median of the aligned sentences, 0 without any.
    """

    sentences: int
    aligned: int
    median_shift: float | None
    confidence: float

    def __str__(self) -> str:
        shift = "unknown" if self.median_shift is None else f"{self.median_shift:+.1f} s"
        return (
            f"aligned {self.aligned} of {self.sentences} sentences, median shift {shift}, "
            f"confidence {self.confidence:.2f}"
        )

    def as_json(self) -> dict[str, Any]:
        """The four numbers."""
        return asdict(self)


def summarise(alignment: Alignment) -> Summary:
    """The verdict on one alignment."""
    shifts = []
    for sentence, (start, end), aligned in zip(
        alignment.sentences, alignment.segments.tolist(), alignment.aligned.tolist(), strict=True
    ):
        if aligned and sentence.mid is not None:
            shifts.append((start + end) / 2 - sentence.mid)
    sure = alignment.confidence[alignment.aligned].tolist()
    return Summary(
        sentences=len(alignment.sentences),
        aligned=int(alignment.aligned.sum()),
        median_shift=round(median(shifts), 3) if shifts else None,
        confidence=round(median(sure), 4) if sure else 0.0,
    )


def vocabulary_warning(known: float, card: ModelCard) -> str:
    """What to say when only a share `known` of the words is in the model's dictionary."""
    text = f"{1 - known:.0%} of the words are outside the dictionary of {card.name}: its result means little"
    if card.name != BUNDLED:
        return text
    others = [other for other in list_cards() if _reads_words(other) and other.name != card.name]
    here = [f"--model {other.name}" for other in sorted(others, key=_first) if _is_here(other)]
    if here:
        return f"{text}; installed models that know more: {', '.join(here)}"
    way = f"{KNOWS_MORE}, of how-to videos, {how_to_get(get_card(KNOWS_MORE))}"
    return f"{text}; {way_to_real_footage()}; or {way}"


def _reads_words(card: ModelCard) -> bool:
    """Whether it aligns sentences as they are written, not their vectors from a file."""
    return card.aligner is not None and card.aligner.text != "file"


def _first(card: ModelCard) -> bool:
    """Sorts the model for real footage before all others, which keep their order."""
    return card.name != REAL_FOOTAGE


def _is_here(card: ModelCard) -> bool:
    """Whether all that aligning with it needs is on this machine."""
    held = backbone_of(card)
    return not missing_roles(card) and not missing_roles(held) and is_ready(held.name)

"""Where the sentence features come from that a scorer reads instead of words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from vidalign.aligners.scorers.text_towers import TextTower, in_batches
from vidalign.errors import DataError
from vidalign.types import TextFeatures


class SentenceFeatures(Protocol):
    """Sentences -> vectors; `name` is that of the text model."""

    name: str

    def vectors(self, texts: Sequence[str]) -> Tensor:
        """Texts -> vectors (K, D); raises DataError where there are none for these texts."""
        ...

    def known_words(self, texts: Sequence[str]) -> float | None:
        """Share of the words known, None without a closed dictionary."""
        ...


class FromFile:
    """Vectors that were made before, one a sentence, in the order of the transcript."""

    def __init__(self, made: TextFeatures, source: str = "the text features") -> None:
        self.name = made.model
        self._made = made
        self._source = source

    def vectors(self, texts: Sequence[str]) -> Tensor:
        held, again = self._made.text, "make them of the same sentences: `vidalign extract-text`"
        if len(texts) != len(held):
            raise DataError(f"{self._source}: {len(held)} sentences instead of {len(texts)}", hint=again)
        for number, (theirs, ours) in enumerate(zip(held, texts, strict=True), 1):
            if theirs.split() != ours.split():
                raise DataError(
                    f"{self._source}: sentence {number} is {theirs[:60]!r} instead of {ours[:60]!r}",
                    hint=again,
                )
        return torch.tensor(self._made.features, dtype=torch.float32)

    def known_words(self, texts: Sequence[str]) -> float | None:
        return None


class FromTower:
    """Vectors that a backbone's own text tower makes, loaded when the first sentence comes."""

    def __init__(self, name: str, load: Callable[[], TextTower]) -> None:
        self.name = name
        self._load = load

    @cached_property
    def _tower(self) -> TextTower:
        return self._load()

    def vectors(self, texts: Sequence[str]) -> Tensor:
        return in_batches(self._tower, texts)

    def known_words(self, texts: Sequence[str]) -> float | None:
        return self._tower.known_words(texts)

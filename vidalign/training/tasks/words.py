"""The dictionary of a sentence encoder: another model's, a file, or the words of the training subtitles."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidalign.aligners.tokens import Tokenizer
from vidalign.errors import DataError, ModelError
from vidalign.text.words import S3D_ROWS, load_dictionary, split_words
from vidalign.weights.cache import locate
from vidalign.weights.cards import get_card

FROM_SUBTITLES = "subtitles"


def choose_words(given: str, min_count: int, read: Callable[[Tokenizer], object]) -> list[str]:
    """The words of a card, a model folder or a .npy file; or (`subtitles`) those said at least `min_count`
    times in what `read` reads with a tokenizer, the commonest first. Raises ModelError or DataError."""
    if given == FROM_SUBTITLES:
        return count_words(WordCounter(split_words), min_count, read)[: S3D_ROWS - 1]
    if given.endswith(".npy"):
        return load_dictionary(Path(given))
    return dictionary_of(given)


def dictionary_of(model: str) -> list[str]:
    """The words of a card or model folder; raises ModelError."""
    card = get_card(model)
    if all(entry.role != "dictionary" for entry in card.files):
        raise ModelError(f"model {model!r} has no dictionary", hint="name one that has, or a .npy file")
    return load_dictionary(locate(card, "dictionary"))


class WordCounter:
    """A tokenizer that only counts; a sentence has as many ids as `marks`, and one more if it has a word."""

    name = "counter"

    def __init__(self, split: Callable[[str], list[str]], marks: int = 0) -> None:
        self.counts: Counter[str] = Counter()
        self._split = split
        self._marks = marks

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        words = [self._split(text) for text in texts]
        for sentence in words:
            self.counts.update(sentence)
        ids = np.array([[1] * self._marks + [int(bool(sentence))] for sentence in words], np.int64)
        ids = ids.reshape(-1, self._marks + 1)
        return ids, ids > 0

    def coverage(self, texts: Sequence[str]) -> float | None:
        return None


def count_words(counter: WordCounter, min_count: int, read: Callable[[Tokenizer], object]) -> list[str]:
    """What is said at least `min_count` times, the commonest first; raises DataError where nothing is."""
    with _told_later():
        read(counter)
    frequent = [(-count, word) for word, count in counter.counts.items() if count >= min_count]
    if not frequent:
        raise DataError(f"no word of the subtitles is said {min_count} times", hint="lower min_count")
    return [word for _, word in sorted(frequent)]


@contextmanager
def _told_later() -> Iterator[None]:
    """Silences what reading the data tells, which the second reading tells again."""
    logger = logging.getLogger("vidalign.training")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)

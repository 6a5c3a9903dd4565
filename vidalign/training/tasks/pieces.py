"""The word pieces of a network with BERT's text: another model's, a file's, or those of the subtitles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vidalign.aligners.registry import vocabulary_of
from vidalign.aligners.tokens import Tokenizer
from vidalign.text.wordpiece import FIRST, LAST, PAD, UNKNOWN, WordPieceTokenizer, split_words
from vidalign.training.data.clip_sets import MARKS
from vidalign.training.tasks.words import FROM_SUBTITLES, WordCounter, count_words
from vidalign.weights.cards import get_card


def choose_pieces(given: str, min_count: int, read: Callable[[Tokenizer], object]) -> list[str]:
    """The vocabulary of a card, a model folder or a vocab.txt; or (`subtitles`) the words that are said at
    least `min_count` times in what `read` reads with a tokenizer. Raises ModelError or DataError."""
    if given == FROM_SUBTITLES:
        said = count_words(WordCounter(split_words, marks=MARKS), min_count, read)
        return [PAD, UNKNOWN, FIRST, LAST, *said]
    if given.endswith(".txt"):
        return list(WordPieceTokenizer.from_file(Path(given)).vocabulary)
    return vocabulary_of(get_card(given))

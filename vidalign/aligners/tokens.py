"""How a text model reads sentences: ids and mask from one call, whatever the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vidalign.text.wordpiece import WordPieceTokenizer
from vidalign.text.words import WordTokenizer


class Tokenizer(Protocol):
    """Texts -> token ids (K, W) and mask (K, W), True at real tokens."""

    name: str

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]: ...

    def coverage(self, texts: Sequence[str]) -> float | None:
        """Share of the words known, None without a closed dictionary."""
        ...


class DictionaryTokens:
    """Word ids of a word2vec dictionary; `unknown` words keep their place as id 0 or are dropped."""

    name = "word2vec"

    def __init__(self, words: Sequence[str], *, length: int, unknown: Literal["keep", "drop"]) -> None:
        self._tokenizer = WordTokenizer(words)
        self._length = length
        self._unknown = unknown

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        ids = self._tokenizer.encode(texts, max_words=self._length, oov=self._unknown)
        return ids, ids > 0

    def coverage(self, texts: Sequence[str]) -> float | None:
        return self._tokenizer.coverage(texts)


class BertTokens:
    """Word pieces of an uncased BERT vocabulary."""

    name = "bert"

    def __init__(self, vocabulary: Sequence[str], *, length: int) -> None:
        self._tokenizer = WordPieceTokenizer(vocabulary)
        self._length = length

    def __call__(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        ids, mask = self._tokenizer.encode(texts, max_tokens=self._length)
        return ids, mask.astype(bool)

    def coverage(self, texts: Sequence[str]) -> float | None:
        return None

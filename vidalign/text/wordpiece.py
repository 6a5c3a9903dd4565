"""BERT's uncased tokeniser (Devlin et al., 2019): words, then the longest known pieces from the left."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidalign.errors import ModelError

PAD, UNKNOWN, FIRST, LAST = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
LONGEST_WORD = 100
"""A word of more letters is unknown."""

_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class WordPieceTokenizer:
    """Token ids of a `vocab.txt`, whose line number (from 0) is the id."""

    def __init__(self, vocabulary: Sequence[str], *, source: str = "vocab.txt") -> None:
        """`vocabulary` is the lines of the file; raises ModelError where it is not one of uncased BERT."""
        self.vocabulary = tuple(line.rstrip("\r\n") for line in vocabulary)
        self._ids = {token: index for index, token in enumerate(self.vocabulary)}
        missing = [token for token in (PAD, UNKNOWN, FIRST, LAST) if token not in self._ids]
        if missing:
            raise ModelError(f"{source}: the token {missing[0]} is missing", hint=_EXPECTED)
        if self._ids[PAD] != 0:
            raise ModelError(
                f"{source}: {PAD} is in line {self._ids[PAD] + 1}, not the first", hint=_EXPECTED
            )
        cased = sum(token != token.lower() and token[0] != "[" for token in self.vocabulary)
        if cased * 20 > len(self.vocabulary):
            raise ModelError(f"{source}: {cased} tokens have capitals; this is a cased one", hint=_EXPECTED)

    @classmethod
    def from_file(cls, path: str | Path) -> WordPieceTokenizer:
        """Read a `vocab.txt`; raises ModelError."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ModelError(f"{path}: there is no such vocabulary file", hint=_EXPECTED) from None
        except UnicodeDecodeError:
            raise ModelError(f"{path}: is not a text file in UTF-8", hint=_EXPECTED) from None
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror}", hint=_EXPECTED) from None
        return cls(text.removesuffix("\n").split("\n"), source=str(path))

    def encode(
        self, texts: Sequence[str], max_tokens: int = 32
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ids and attention mask, both (K, max_tokens): `[CLS] ... [SEP]`, cut, padded with `[PAD]`."""
        if max_tokens < 2:
            raise ValueError(f"max_tokens is {max_tokens}; {FIRST} and {LAST} need 2")
        ids = np.full((len(texts), max_tokens), self._ids[PAD], np.int64)
        mask = np.zeros_like(ids)
        for row, text in enumerate(texts):
            pieces = [FIRST, *self.tokenize(text)[: max_tokens - 2], LAST]
            ids[row, : len(pieces)] = [self._ids[piece] for piece in pieces]
            mask[row, : len(pieces)] = 1
        return ids, mask

    def tokenize(self, text: str) -> list[str]:
        """The pieces of a text; those that go on within a word begin with `##`."""
        return [piece for word in split_words(text) for piece in self._pieces(word)]

    def _pieces(self, word: str) -> list[str]:
        if len(word) > LONGEST_WORD:
            return [UNKNOWN]
        pieces: list[str] = []
        at = 0
        while at < len(word):
            prefix = "##" if at else ""
            end = next((n for n in range(len(word), at, -1) if prefix + word[at:n] in self._ids), None)
            if end is None:
                return [UNKNOWN]
            pieces.append(prefix + word[at:end])
            at = end
        return pieces


_EXPECTED = "expected the vocab.txt of bert-base-uncased"


def split_words(text: str) -> list[str]:
    """BERT's basic tokeniser: cleaned, lower case, no accents; punctuation and ideographs stand alone."""
    spaced = "".join(_spaced(character) for character in unicodedata.normalize("NFC", text))
    words: list[str] = []
    for word in spaced.split():
        bare = unicodedata.normalize("NFD", word.lower())
        bare = "".join(c for c in bare if unicodedata.category(c) != "Mn")
        words += "".join(f" {c} " if _is_punctuation(c) else c for c in bare).split()
    return words


@lru_cache(maxsize=4096)
def _spaced(character: str) -> str:
    """A character after cleaning: controls vanish, white space is a blank, ideographs stand apart."""
    code = ord(character)
    if character in "\t\n\r" or unicodedata.category(character) == "Zs":
        return " "
    if code in (0, 0xFFFD) or unicodedata.category(character).startswith("C"):
        return ""
    return f" {character} " if any(low <= code <= high for low, high in _IDEOGRAPHS) else character


@lru_cache(maxsize=4096)
def _is_punctuation(character: str) -> bool:
    """ASCII signs all count, also those that Unicode calls symbols."""
    code = ord(character)
    ascii_sign = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_sign or unicodedata.category(character).startswith("P")

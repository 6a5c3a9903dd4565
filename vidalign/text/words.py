"""Sentences to word ids for word2vec text modules (MIL-NCE, TAN), and the dictionary behind them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidalign.errors import ModelError
from vidalign.outside import reading_arrays

Oov = Literal["keep", "drop"]

S3D_ROWS = 66250
"""Rows of the published word table; row 0 is padding and unknown."""

_WORD = re.compile(r"[\w']+")


def split_words(text: str) -> list[str]:
    """Lower-cased runs of letters, digits, underscores and apostrophes."""
    return _WORD.findall(text.lower())


class WordTokenizer:
    """Word ids of a dictionary: id = index + 1; 0 is padding and an unknown word in its place."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._ids = {word: index for index, word in enumerate(self.words, start=1)}

    def encode(self, texts: Sequence[str], max_words: int = 32, oov: Oov = "keep") -> NDArray[np.int64]:
        """Ids (K, max_words), cut and padded with 0.

        `oov` keep: an unknown word is 0 in its place (TAN); drop: it is left out (the MIL-NCE text module).
        """
        if oov not in ("keep", "drop"):
            raise ValueError(f"oov is keep or drop, not {oov!r}")
        rows = [self._row(text, max_words, oov) for text in texts]
        lengths = np.fromiter((len(row) for row in rows), np.int64, len(rows))
        ids = np.zeros((len(rows), max_words), np.int64)
        filled = np.arange(max_words) < lengths[:, None]
        ids[filled] = np.fromiter(chain.from_iterable(rows), np.int64, int(lengths.sum()))
        return ids

    def coverage(self, texts: Iterable[str]) -> float:
        """Share of the different words of `texts` that the dictionary knows, in [0, 1]; 1 without any.

        Each counts once: the small words that every transcript repeats would hide that the rest is unknown.
        """
        words = {word for text in texts for word in split_words(text)}
        return sum(word in self._ids for word in words) / len(words) if words else 1.0

    def _row(self, text: str, max_words: int, oov: Oov) -> list[int]:
        words = split_words(text)
        if oov == "keep":
            return [self._ids.get(word, 0) for word in words[:max_words]]
        return [self._ids[word] for word in words if word in self._ids][:max_words]


def load_dictionary(path: str | Path, rows: int = S3D_ROWS) -> list[str]:
    """The words of a `.npy` file (`s3d_dict.npy`): a one-dimensional array of strings.

    Nothing is unpickled. `rows` are those of the word table, so at most `rows` - 1 words. Raises ModelError.
    """
    path = Path(path)
    try:
        with reading_arrays():
            array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise ModelError(f"{path}: there is no such dictionary file") from None
    except (ValueError, OSError) as error:
        raise _unreadable(path, error) from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "US" or array.ndim != 1:
        what = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else "an archive"
        raise ModelError(
            f"{path}: holds {what}, not a one-dimensional array of words",
            hint="s3d_dict.npy is a list of words saved with numpy.save",
        )
    words = np.char.decode(array, "utf-8").tolist() if array.dtype.kind == "S" else array.tolist()
    if not words or len(words) > rows - 1:
        raise ModelError(f"{path}: holds {len(words)} words; the word table has room for 1 to {rows - 1}")
    return [str(word) for word in words]


def _unreadable(path: Path, error: Exception) -> ModelError:
    if "allow_pickle" in str(error) and path.read_bytes()[:6] == b"\x93NUMPY":
        return ModelError(
            f"{path}: the words are stored as pickled Python objects, which are not loaded",
            hint="if you trust the file, save it anew as text: "
            "numpy.save(NEW, numpy.load(OLD, allow_pickle=True).astype(str))",
        )
    return ModelError(
        f"{path}: is not a numpy .npy file", hint="s3d_dict.npy is a list of words saved with numpy.save"
    )

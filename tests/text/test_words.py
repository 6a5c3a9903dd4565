"""Words to ids, and the dictionary behind them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidalign.errors import ModelError
from vidalign.text.words import S3D_ROWS, WordTokenizer, load_dictionary

TOKENIZER = WordTokenizer(["crack", "the", "egg", "don't", "über", "90"])


def test_ids_are_index_plus_one_and_unknown_words_keep_their_place() -> None:
    ids = TOKENIZER.encode(["Crack, the BLUE egg!", "don't: 90 über", ""], max_words=5)
    assert ids.dtype == np.int64
    assert ids.tolist() == [[1, 2, 0, 3, 0], [4, 6, 5, 0, 0], [0, 0, 0, 0, 0]]


def test_dropped_words_make_room_before_the_cut() -> None:
    texts = ["well now crack some of the egg", "nothing known"]
    assert TOKENIZER.encode(texts, max_words=3).tolist() == [[0, 0, 1], [0, 0, 0]]
    assert TOKENIZER.encode(texts, max_words=3, oov="drop").tolist() == [[1, 2, 3], [0, 0, 0]]
    with pytest.raises(ValueError, match="keep or drop"):
        TOKENIZER.encode(texts, oov="throw")  # type: ignore[arg-type]


def test_no_texts_and_the_default_length() -> None:
    assert TOKENIZER.encode([]).shape == (0, 32)
    assert TOKENIZER.encode(["egg " * 40]).tolist() == [[3] * 32]


def test_coverage_counts_each_word_once() -> None:
    assert TOKENIZER.coverage(["crack the blue egg", "Blue"]) == pytest.approx(3 / 4)
    assert TOKENIZER.coverage(["", "..."]) == 1.0


def test_a_hundred_thousand_sentences_at_once() -> None:
    texts = ["crack the egg into a large bowl and whisk it"] * 100_000
    ids = TOKENIZER.encode(texts)
    assert ids.shape == (100_000, 32) and int((ids != 0).sum()) == 300_000


@pytest.mark.parametrize("dtype", ["U", "S"])
def test_dictionary_files_of_strings(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "d.npy", np.char.encode(["crack", "über"]) if dtype == "S" else ["crack", "über"])
    assert load_dictionary(tmp_path / "d.npy") == ["crack", "über"]


def test_a_dictionary_that_does_not_fit_the_table(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", [f"w{n}" for n in range(5)])
    assert len(load_dictionary(tmp_path / "d.npy", rows=6)) == 5
    with pytest.raises(ModelError, match="holds 5 words; the word table has room for 1 to 4"):
        load_dictionary(tmp_path / "d.npy", rows=5)
    assert S3D_ROWS == 66250


def test_pickled_words_are_explained_and_not_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "ran",)

    np.save(tmp_path / "d.npy", np.array(["a", Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(ModelError, match="pickled Python objects") as caught:
        load_dictionary(tmp_path / "d.npy")
    assert "astype(str)" in caught.value.hint
    assert not (tmp_path / "ran").exists()


def test_other_files_are_no_dictionary(tmp_path: Path) -> None:
    np.save(tmp_path / "numbers.npy", np.zeros((2, 3)))
    np.savez(tmp_path / "archive.npz", np.array(["a"]))
    (tmp_path / "text.npy").write_text("crack\nthe\negg\n")
    (tmp_path / "empty.npy").write_bytes(b"")
    for name, message in {
        "numbers.npy": r"float64 of shape \(2, 3\)",
        "archive.npz": "an archive",
        "text.npy": "is not a numpy .npy file",
        "empty.npy": "is not a numpy .npy file",
        "missing.npy": "no such dictionary",
    }.items():
        with pytest.raises(ModelError, match=message):
            load_dictionary(tmp_path / name)

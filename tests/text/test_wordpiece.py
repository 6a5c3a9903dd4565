"""BERT's word pieces against those of the `tokenizers` package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vidalign.errors import ModelError
from vidalign.text.wordpiece import WordPieceTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


@pytest.mark.parity
def test_pieces_equal_the_reference(golden: Path) -> None:
    known = json.loads((golden / "wordpiece.json").read_text(encoding="utf-8"))
    tokenizer = WordPieceTokenizer(known["vocabulary"])
    assert len(known["cases"]) > 20
    for case in known["cases"]:
        assert ["[CLS]", *tokenizer.tokenize(case["text"]), "[SEP]"] == case["tokens"], case["text"]


def test_encoded_with_ends_cut_and_padded(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join([*SPECIAL, "crack", "the", "egg", "##s", "!"]) + "\n", encoding="utf-8")
    tokenizer = WordPieceTokenizer.from_file(path)
    assert len(tokenizer.vocabulary) == 9
    ids, mask = tokenizer.encode(["Crack the eggs!", "", "the the the the the the"], max_tokens=6)
    assert ids.tolist() == [[2, 4, 5, 6, 7, 3], [2, 3, 0, 0, 0, 0], [2, 5, 5, 5, 5, 3]]
    assert mask.tolist() == [[1] * 6, [1, 1, 0, 0, 0, 0], [1] * 6]
    assert tokenizer.encode([])[0].shape == (0, 32)
    with pytest.raises(ValueError, match="need 2"):
        tokenizer.encode(["egg"], max_tokens=1)


@pytest.mark.parametrize("token", SPECIAL)
def test_a_missing_special_token_is_named(token: str) -> None:
    with pytest.raises(ModelError, match="is missing") as caught:
        WordPieceTokenizer([name for name in SPECIAL if name != token] + ["egg"])
    assert token in caught.value.message and "bert-base-uncased" in caught.value.hint


def test_other_vocabularies_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"\[PAD\] is in line 2, not the first"):
        WordPieceTokenizer(["[UNK]", "[PAD]", "[CLS]", "[SEP]"])
    with pytest.raises(ModelError, match="cased"):
        WordPieceTokenizer([*SPECIAL, "The", "Egg", "egg"])
    with pytest.raises(ModelError, match="no such vocabulary file"):
        WordPieceTokenizer.from_file(tmp_path / "vocab.txt")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="not a text file"):
        WordPieceTokenizer.from_file(tmp_path / "binary")
    with pytest.raises(ModelError, match="cannot be read"):
        WordPieceTokenizer.from_file(tmp_path)

"""Sentences become the ids that transformers' own tokenizers give; another model's vocabulary is refused."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers.models.siglip2.tokenization_siglip2 import Siglip2Tokenizer

from tests.hf_models import MERGES, character_vocabulary, clip_tokenizer
from vidalign.backbones.hf_text import Pieces
from vidalign.errors import ModelError

TEXTS = ["Put the egg in the pan", "whisk", "stir it again and again until it is a smooth batter", ""]


def pair(**values: Any) -> Any:
    """What a tokenizer asks of a pair."""
    given = {"vocabulary": len(character_vocabulary()), "tokens": 12, "whole_length": False, "lower": False}
    return SimpleNamespace(**(given | values))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip-tokenizer")
    clip_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SigLIP 2's, which ends sentences with <eos> and fills them up with <pad>."""
    from tokenizers.processors import TemplateProcessing

    folder = tmp_path_factory.mktemp("gemma-tokenizer")
    marks = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁"]
    vocabulary = {entry: place for place, entry in enumerate([*marks, *"abcdefghijklmnopqrstuvwxyz"])}
    made = Siglip2Tokenizer(vocab=vocabulary, merges=[])
    made.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)]
    )
    made.save_pretrained(folder)
    return folder


def test_ids_are_those_of_clips_own_tokenizer(clip: Path) -> None:
    ids, mask = Pieces(clip / "tokenizer.json", None, pair())(TEXTS)
    theirs = clip_tokenizer()(TEXTS, padding=True, truncation=True, max_length=12)
    assert mask.tolist() == theirs["attention_mask"]
    real = mask.bool()
    for row, expected, kept in zip(ids, theirs["input_ids"], real, strict=True):
        assert row[kept].tolist() == [i for i, k in zip(expected, kept.tolist(), strict=True) if k]


def test_long_sentences_are_cut_off_before_their_end_mark(clip: Path) -> None:
    ids, mask = Pieces(clip / "tokenizer.json", None, pair())(TEXTS)
    assert ids.shape == (4, 12) and mask[2].all()
    end = len(character_vocabulary()) - 1
    assert ids[2, -1] == end and ids[2, 0] == end - 1
    assert ids[3, :2].tolist() == [end - 1, end], "an empty sentence is its marks"


def test_sentences_of_siglip_are_lower_case_and_filled_up(gemma: Path) -> None:
    pieces = Pieces(
        gemma / "tokenizer.json",
        gemma / "tokenizer_config.json",
        pair(vocabulary=32, tokens=16, whole_length=True, lower=True),
    )
    ids, _ = pieces(["Egg", "egg"])
    assert ids[0].tolist() == ids[1].tolist() == [10, 12, 12, 1, *[0] * 12]
    long, _ = pieces(["an egg " * 9])
    assert long.shape == (1, 16) and long[0, -1] == 1


def test_how_a_siglips_sentences_are_filled_up_must_be_known(gemma: Path, tmp_path: Path) -> None:
    values = json.loads((gemma / "tokenizer.json").read_text("utf-8"))
    bare = tmp_path / "tokenizer.json"
    bare.write_text(json.dumps({**values, "padding": None}), "utf-8")
    siglip = pair(vocabulary=32, tokens=16, whole_length=True, lower=True)
    with pytest.raises(ModelError, match=r"add the model's tokenizer_config.json"):
        Pieces(bare, None, siglip)
    padding = {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": None}
    padding |= {"pad_id": 5, "pad_type_id": 0, "pad_token": "▁"}
    bare.write_text(json.dumps({**values, "padding": padding}), "utf-8")
    assert Pieces(bare, None, siglip)(["egg"])[0][0].tolist() == [10, 12, 12, 1, *[5] * 12]


@pytest.mark.parametrize("rows", [30, 90])
def test_a_vocabulary_of_another_size_is_refused(rows: int, clip: Path) -> None:
    size = len(character_vocabulary())
    with pytest.raises(ModelError, match=f"a vocabulary of {size} entries.* text tower has {rows}"):
        Pieces(clip / "tokenizer.json", None, pair(vocabulary=rows))


def test_older_tokenizer_files_are_read_by_transformers(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text(json.dumps(character_vocabulary()), "utf-8")
    merges = "\n".join(" ".join(pair) for pair in MERGES)
    (tmp_path / "merges.txt").write_text(f"#version: 0.2\n{merges}\n", "utf-8")
    (tmp_path / "config.json").write_text('{"model_type": "clip"}', "utf-8")
    ids, _ = Pieces(tmp_path / "vocab.json", None, pair())(["egg pan"])
    vocabulary = character_vocabulary()
    marks = vocabulary["<|startoftext|>"], vocabulary["<|endoftext|>"]
    assert ids[0].tolist() == [marks[0], vocabulary["egg</w>"], vocabulary["pan</w>"], marks[1]]


@pytest.mark.parametrize("text", ["{", "[]", '{"model": {"type": "none"}}'])
def test_a_broken_tokenizer_is_told_in_one_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(text)
    with pytest.raises(ModelError, match=r"tokenizer.json: (cannot be read|holds no JSON)") as caught:
        Pieces(path, None, pair())
    assert "\n" not in str(caught.value)

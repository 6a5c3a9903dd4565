"""Sentences become token ids by the tokenizer files that a pair's text tower came with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vidalign.backbones.hf import needs_transformers
from vidalign.backbones.hf_pairs import Pair
from vidalign.errors import ModelError
from vidalign.weights.tokenizer_files import check_size, json_kind, read_json


class Pieces:
    """Texts -> ids (K, W) and mask (K, W), 1 at real tokens, W at most the text tower's positions.

    Longer sentences are cut off, the mark at the end kept. Raises ModelError for a tokenizer file that
    cannot be read, or whose vocabulary is not the text tower's.
    """

    def __init__(self, tokenizer: Path, config: Path | None, pair: Pair) -> None:
        self._pair = pair
        settings = read_json(config) if config is not None else {}
        self._tokenizer = _read(tokenizer)
        check_size(_rows(self._tokenizer), pair.vocabulary, str(tokenizer))
        self._tokenizer.enable_truncation(max_length=pair.tokens)
        padding: dict[str, Any] = {"direction": "right", "pad_id": 0}
        if pair.whole_length:
            padding |= {"pad_id": _pad_id(self._tokenizer, settings, tokenizer), "length": pair.tokens}
        self._tokenizer.enable_padding(**padding)

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        given = [text.lower() for text in texts] if self._pair.lower else list(texts)
        found = self._tokenizer.encode_batch(given)
        ids = torch.tensor([one.ids for one in found], dtype=torch.long)
        return ids, torch.tensor([one.attention_mask for one in found], dtype=torch.long)


def _read(path: Path) -> Any:
    """The tokenizer of a tokenizer.json; of older files by transformers, which turns them into one."""
    with needs_transformers("the text tower"):
        from tokenizers import Tokenizer
    kind = json_kind(path) if path.suffix == ".json" else None
    if kind is None and path.name == "tokenizer.json":
        raise _unreadable(path, ValueError("it holds no vocabulary"))
    if kind == "tokenizer":
        return _made(path, lambda: Tokenizer.from_file(str(path)))
    with needs_transformers("the text tower"):
        from transformers import AutoTokenizer

    def older() -> Any:
        return AutoTokenizer.from_pretrained(path.parent, local_files_only=True).backend_tokenizer

    return _made(path, older)


def _made(path: Path, make: Any) -> Any:
    """What `make` gives; raises ModelError where a library cannot read the file."""
    try:
        return make()
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RuntimeError, ImportError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: BaseException) -> ModelError:
    reason = " ".join(str(error).split())[:200]
    return ModelError(f"{path}: cannot be read as a tokenizer: {reason}", hint="fetch or copy it again")


def _rows(tokenizer: Any) -> int:
    """Entries, counted up to the highest id."""
    return max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1


def _pad_id(tokenizer: Any, settings: Mapping[str, Any], where: Path) -> int:
    """The id that sentences are filled up with: padding takes part in what such a model says."""
    named = settings.get("pad_token")
    token = named.get("content") if isinstance(named, Mapping) else named
    found = tokenizer.token_to_id(token) if isinstance(token, str) else None
    if found is None and tokenizer.padding is not None:
        found = tokenizer.padding["pad_id"]
    if found is None:
        raise ModelError(
            f"{where}: neither it nor a tokenizer_config.json beside it says how sentences are filled up",
            hint="add the model's tokenizer_config.json",
        )
    return int(found)

"""Sentence encoders whose vectors lie in one space with a backbone's clips, behind one protocol.

A family of backbones names the function here that builds its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from vidalign.aligners.tokens import DictionaryTokens
from vidalign.backbones.hf_pairs import Pair
from vidalign.backbones.hf_text import Pieces
from vidalign.backbones.s3d import S3D
from vidalign.errors import DataError, ModelError
from vidalign.text.words import load_dictionary
from vidalign.weights.cache import locate
from vidalign.weights.cards import ModelCard

TEXT_BATCH = 256
SIMILARITY_WORDS = 30
"""Words of a sentence in MIL-NCE's evaluation; unknown words are dropped."""


class TextTower(Protocol):
    """Sentences and clips as vectors of one space.

    `name` is that of the text model, `temperature` what its cosines are divided by (None: as the card says).
    """

    name: str
    temperature: float | None

    def sentences(self, texts: Sequence[str]) -> Tensor:
        """Texts -> vectors (K, C)."""
        ...

    def clips(self, features: Tensor) -> Tensor:
        """Features (..., D) of any layer of the backbone -> (..., C); raises DataError for another width."""
        ...

    def known_words(self, texts: Sequence[str]) -> float | None:
        """Share of the words known, None without a closed dictionary."""
        ...


class S3DTower:
    """S3D's word2vec sentence encoder; features of mixed_5c go through its last linear layer first."""

    name = "word2vec"
    temperature: float | None = None

    def __init__(self, network: S3D, words: Sequence[str], device: str) -> None:
        self._network = network.to(device).eval()
        self._device = torch.device(device)
        self._tokens = DictionaryTokens(words, length=SIMILARITY_WORDS, unknown="drop")

    def sentences(self, texts: Sequence[str]) -> Tensor:
        ids, _ = self._tokens(texts)
        embedded: Tensor = self._network.text_module(torch.from_numpy(ids).to(self._device))
        return embedded

    def clips(self, features: Tensor) -> Tensor:
        layers = self._network.layers
        if features.shape[-1] == layers["video_embedding"]:
            return features.to(self._device)
        if features.shape[-1] == layers["mixed_5c"]:
            embedded: Tensor = self._network.fc(features.to(self._device))
            return embedded
        raise _unfit(features, layers)

    def known_words(self, texts: Sequence[str]) -> float | None:
        return self._tokens.coverage(texts)


class PairTower:
    """The text tower of CLIP and its kin."""

    name = "transformer"

    def __init__(self, network: Pair, pieces: Pieces, device: str) -> None:
        self._network = network.to(device).eval()
        self._device = torch.device(device)
        self._pieces = pieces
        self.temperature: float | None = network.temperature

    def sentences(self, texts: Sequence[str]) -> Tensor:
        ids, mask = self._pieces(texts)
        return self._network.encode_text(ids.to(self._device), mask.to(self._device))

    def clips(self, features: Tensor) -> Tensor:
        projected = self._network.project(features.to(self._device))
        if projected is None:
            raise _unfit(features, self._network.layers)
        return projected

    def known_words(self, texts: Sequence[str]) -> float | None:
        return None


def in_batches(tower: TextTower, texts: Sequence[str]) -> Tensor:
    """Vectors (K, C) of any number of texts."""
    starts = range(0, len(texts), TEXT_BATCH)
    return torch.cat([tower.sentences(texts[start : start + TEXT_BATCH]) for start in starts])


def s3d(card: ModelCard, network: nn.Module, device: str) -> TextTower:
    """The sentence encoder of an S3D trained with MIL-NCE, with the dictionary of its card."""
    if not isinstance(network, S3D):
        raise ModelError(f"backbone {card.name!r} has no sentence encoder", hint="use a model with one")
    words = load_dictionary(locate(card, "dictionary"), network.text_module.word_embd.num_embeddings)
    return S3DTower(network, words, device)


def pair(card: ModelCard, network: nn.Module, device: str) -> TextTower:
    """The text tower of a pair, with the tokenizer files of its card."""
    if not isinstance(network, Pair):
        raise ModelError(f"backbone {card.name!r} has no text tower", hint="use a model with one")
    has_config = any(entry.role == "tokenizer_config" for entry in card.files)
    config = locate(card, "tokenizer_config") if has_config else None
    return PairTower(network, Pieces(locate(card, "tokenizer"), config, network), device)


def _unfit(features: Tensor, layers: dict[str, int]) -> DataError:
    told = ", ".join(f"{name} {size}" for name, size in layers.items())
    return DataError(
        f"the features are {features.shape[-1]} wide, this model has {told}", hint="extract them again"
    )

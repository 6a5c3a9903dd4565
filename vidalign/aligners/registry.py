"""Every aligner under one name: a card becomes a scorer with its tokenizer and weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import nn

from vidalign.aligners.scorers.nsva import NSVA
from vidalign.aligners.scorers.sentence_features import FromFile, FromTower
from vidalign.aligners.scorers.similarity import SimilarityScorer
from vidalign.aligners.scorers.tan import TAN
from vidalign.aligners.scorers.text_towers import TextTower
from vidalign.aligners.scorers.videoclip import VideoCLIP
from vidalign.aligners.scorers.windowed_nsva import NsvaScorer
from vidalign.aligners.scorers.windowed_tan import TanScorer
from vidalign.aligners.scorers.windowed_videoclip import VideoClipScorer
from vidalign.aligners.scores import Scorer
from vidalign.aligners.spec import aligner_spec, reads_words
from vidalign.aligners.tokens import BertTokens, DictionaryTokens, Tokenizer
from vidalign.backbones.registry import load_network, read_or_locate, rename, unfit_config
from vidalign.backbones.registry import state_shapes as backbone_shapes
from vidalign.backbones.spec import backbone_spec
from vidalign.errors import ModelError
from vidalign.text.words import S3D_ROWS, load_dictionary
from vidalign.types import TextFeatures
from vidalign.weights.cache import locate
from vidalign.weights.cards import AlignerSpec, ModelCard, backbone_of, get_card
from vidalign.weights.convert import match
from vidalign.weights.plugins import get_family, load_named

TAN_WORDS = 32
"""Words or word pieces of a sentence that TAN reads."""

VIDEOCLIP_PIECES = 63
"""Word pieces of a sentence that VideoCLIP reads, with [CLS] and [SEP]."""


@dataclass(frozen=True, slots=True)
class Aligner:
    """A scorer, the card it comes from, and the part of the card that says what features it reads."""

    scorer: Scorer
    card: ModelCard
    spec: AlignerSpec
    sha256: str


def state_shapes(spec: AlignerSpec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of an aligner's state dict, without allocating it."""
    if spec.scorer == "similarity":
        return backbone_shapes(backbone_spec(get_card(spec.backbone)))
    return {name: tuple(tensor.shape) for name, tensor in _empty(spec).state_dict().items()}


def network_of(spec: AlignerSpec) -> nn.Module:
    """The network of a card's own scorer, with weights as its class initialises them; raises ModelError."""
    config = {name: value for name, value in spec.config.items() if name != "score"}
    if spec.scorer == "tan":
        config = {"text": spec.text, **config}
    with unfit_config(spec.scorer, config):
        return NETWORKS[spec.scorer](**config)


def _empty(spec: AlignerSpec) -> nn.Module:
    """The same without any numbers in it."""
    with torch.device("meta"):
        return network_of(spec)


def load_aligner(
    name: str, weights: str | Path | None = None, *, scorer: str | None = None, device: str = "cpu"
) -> Aligner:
    """The aligner of card `name`, or of a model folder at that path, ready for inference.

    `weights` is a checkpoint file or the name of another card of the same network; default: the card's own.
    Raises ModelError where a file is missing or does not fit.
    """
    card = get_card(name)
    spec = aligner_spec(card, scorer)
    build = SCORERS[spec.scorer]
    made, sha256 = build(card, spec, weights, device)
    own = made.tower.temperature if isinstance(made, SimilarityScorer) else None
    return Aligner(made, card, spec if own is None else replace(spec, temperature=own), sha256)


def with_texts(aligner: Aligner, texts: TextFeatures, source: str = "the text features") -> Aligner:
    """The aligner with sentence features of one transcript, `source` being what messages call them.

    Raises UsageError where it reads the words themselves.
    """
    if not isinstance(aligner.scorer, NsvaScorer):
        raise reads_words(aligner.card.name)
    return replace(aligner, scorer=aligner.scorer.reading(FromFile(texts, source)))


def load_tower(
    card: ModelCard, weights: str | Path | None = None, device: str = "cpu"
) -> tuple[TextTower, str]:
    """The sentence encoder of a backbone and the SHA-256 of its weights; raises ModelError without one."""
    held = backbone_spec(card)
    family = get_family(held.family)
    if family.text is None:
        raise ModelError(f"backbone {card.name!r} has no sentence encoder", hint="use a model with one")
    shapes = backbone_shapes(held)
    tensors, sha256 = read_or_locate(card, "backbone", weights, shapes, lambda found: rename(held, found))
    build = cast(Callable[[ModelCard, nn.Module, str], TextTower], load_named(family.text))
    return build(card, load_network(held, tensors), device), sha256


def _loaded(card: ModelCard, spec: AlignerSpec, weights: str | Path | None) -> tuple[nn.Module, str]:
    """The network with its weights, strictly, in float32, and their SHA-256."""
    network = _empty(spec)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    tensors, sha256 = read_or_locate(card, "aligner", weights, shapes)
    match(tensors, shapes)
    network.load_state_dict({k: t.float() for k, t in tensors.items()}, strict=True, assign=True)
    return network.requires_grad_(False), sha256


def _tan(card: ModelCard, spec: AlignerSpec, weights: str | Path | None, device: str) -> tuple[Scorer, str]:
    network, sha256 = _loaded(card, spec, weights)
    return TanScorer(cast(TAN, network), _tan_tokens(card, spec), device=device), sha256


def _tan_tokens(card: ModelCard, spec: AlignerSpec) -> Tokenizer:
    if spec.text == "bert":
        return BertTokens(vocabulary_of(card), length=TAN_WORDS)
    words = load_dictionary(locate(card, "dictionary"), spec.config.get("vocabulary", S3D_ROWS))
    return DictionaryTokens(words, length=TAN_WORDS, unknown="keep")


def vocabulary_of(card: ModelCard) -> list[str]:
    """The word pieces of a model with BERT's text; raises ModelError without."""
    if all(entry.role != "vocab" for entry in card.files):
        raise ModelError(f"model {card.name!r} has no word pieces", hint="name one that has, or a vocab.txt")
    return locate(card, "vocab").read_text("utf-8").splitlines()


def _tempclr(
    card: ModelCard, spec: AlignerSpec, weights: str | Path | None, device: str
) -> tuple[Scorer, str]:
    network, sha256 = _loaded(card, spec, weights)
    network = cast(VideoCLIP, network)
    words, rows = vocabulary_of(card), network.vocabulary
    if len(words) > rows:
        raise ModelError(f"a vocabulary of {len(words)} entries, but the model's text BERT has {rows}")
    tokens = BertTokens(words, length=VIDEOCLIP_PIECES)
    with unfit_config(spec.scorer, spec.config):
        return VideoClipScorer(network, tokens, score=spec.config.get("score", "dot"), device=device), sha256


def _nsva(card: ModelCard, spec: AlignerSpec, weights: str | Path | None, device: str) -> tuple[Scorer, str]:
    network, sha256 = _loaded(card, spec, weights)
    texts = None
    if spec.text != "file":
        texts = FromTower(spec.text, lambda: load_tower(backbone_of(card), device=device)[0])
    return NsvaScorer(cast(NSVA, network), texts, device=device), sha256


def _similarity(
    card: ModelCard, spec: AlignerSpec, weights: str | Path | None, device: str
) -> tuple[Scorer, str]:
    tower, sha256 = load_tower(backbone_of(card), weights, device)
    with unfit_config(spec.scorer, spec.config):
        return SimilarityScorer(tower, **spec.config), sha256


_Build = Callable[[ModelCard, AlignerSpec, str | Path | None, str], tuple[Scorer, str]]
SCORERS: dict[str, _Build] = {"tan": _tan, "tempclr": _tempclr, "nsva": _nsva, "similarity": _similarity}
NETWORKS: dict[str, Callable[..., nn.Module]] = {"tan": TAN, "tempclr": VideoCLIP, "nsva": NSVA}

"""Every aligner under one name: a card becomes a scorer with its tokenizer and weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import nn

from vidalign.aligners.scorers.similarity import SimilarityScorer
from vidalign.aligners.scorers.tan import TAN
from vidalign.aligners.scorers.text_towers import TextTower
from vidalign.aligners.scorers.windowed_tan import TanScorer
from vidalign.aligners.scores import Scorer
from vidalign.aligners.spec import aligner_spec
from vidalign.aligners.tokens import BertTokens, DictionaryTokens, Tokenizer
from vidalign.backbones.registry import load_network, read_or_locate, rename, unfit_config
from vidalign.backbones.registry import state_shapes as backbone_shapes
from vidalign.backbones.spec import backbone_spec
from vidalign.errors import ModelError
from vidalign.text.words import S3D_ROWS, load_dictionary
from vidalign.weights.cache import locate
from vidalign.weights.cards import AlignerSpec, ModelCard, backbone_of, get_card
from vidalign.weights.convert import match
from vidalign.weights.plugins import get_family, load_named

TAN_WORDS = 32
"""Words or word pieces of a sentence that TAN reads."""


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
    return {name: tuple(tensor.shape) for name, tensor in _empty_tan(spec).state_dict().items()}


def _empty_tan(spec: AlignerSpec) -> TAN:
    """The network of the card without any numbers in it."""
    with torch.device("meta"), unfit_config(spec.scorer):
        return TAN(**{"text": spec.text, **spec.config})


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


def _tan(card: ModelCard, spec: AlignerSpec, weights: str | Path | None, device: str) -> tuple[Scorer, str]:
    network = _empty_tan(spec)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    tensors, sha256 = read_or_locate(card, "aligner", weights, shapes)
    match(tensors, shapes)
    network.load_state_dict({k: t.float() for k, t in tensors.items()}, strict=True, assign=True)
    network.requires_grad_(False)
    return TanScorer(network, _tan_tokens(card, spec), device=device), sha256


def _tan_tokens(card: ModelCard, spec: AlignerSpec) -> Tokenizer:
    if spec.text == "bert":
        return BertTokens(locate(card, "vocab").read_text("utf-8").splitlines(), length=TAN_WORDS)
    words = load_dictionary(locate(card, "dictionary"), spec.config.get("vocabulary", S3D_ROWS))
    return DictionaryTokens(words, length=TAN_WORDS, unknown="keep")


def _similarity(
    card: ModelCard, spec: AlignerSpec, weights: str | Path | None, device: str
) -> tuple[Scorer, str]:
    backbone = backbone_of(card)
    held = backbone_spec(backbone)
    family = get_family(held.family)
    if family.text is None:
        raise ModelError(f"backbone {backbone.name!r} has no sentence encoder", hint="use a model with one")
    tensors, sha256 = read_or_locate(
        backbone, "backbone", weights, backbone_shapes(held), lambda found: rename(held, found)
    )
    build = cast(Callable[[ModelCard, nn.Module, str], TextTower], load_named(family.text))
    tower = build(backbone, load_network(held, tensors), device)
    with unfit_config(spec.scorer):
        return SimilarityScorer(tower, **spec.config), sha256


_Build = Callable[[ModelCard, AlignerSpec, str | Path | None, str], tuple[Scorer, str]]
SCORERS: dict[str, _Build] = {"tan": _tan, "similarity": _similarity}

"""What an aligner is made of, as its card says; needs no torch."""

from __future__ import annotations

from dataclasses import replace

from vidalign.errors import ModelError, UsageError, did_you_mean
from vidalign.weights.cards import AlignerSpec, ModelCard, backbone_of

SCORERS = ("tan", "tempclr", "nsva", "similarity", "cosine")
"""What `--scorer` may name; similarity is the dot product, as MIL-NCE was trained."""

_OWN = ("tan", "tempclr", "nsva", "similarity")
"""What a card may have as its scorer."""

_WORDS = ("dictionary", "tokenizer", "tokenizer_config")
"""Roles of the files by which a backbone's own sentence encoder reads."""

_PLAIN = {"similarity": ("dot", 1.0), "cosine": ("cosine", 0.07)}
"""Scorers that need no network of their own: score and temperature."""


def aligner_spec(card: ModelCard, scorer: str | None = None) -> AlignerSpec:
    """The card's aligner part, or with `scorer` the plain similarity of the backbone it needs.

    Raises ModelError where the card has none, or no such scorer.
    """
    if card.aligner is None:
        raise ModelError(f"model {card.name!r} aligns nothing", hint="see `vidalign models list`")
    if card.aligner.scorer not in _OWN:
        raise ModelError(
            f"model {card.name!r} has the scorer {card.aligner.scorer!r}, which is unknown",
            hint=did_you_mean(card.aligner.scorer, _OWN, f"known scorers: {', '.join(_OWN)}"),
        )
    if scorer is None or scorer in (card.aligner.scorer, _own_score(card.aligner)):
        return card.aligner
    if scorer not in SCORERS:
        hint = did_you_mean(scorer, SCORERS, f"known scorers: {', '.join(SCORERS)}")
        raise ModelError(f"unknown scorer {scorer!r}", hint=hint)
    if scorer not in _PLAIN:
        raise ModelError(
            f"model {card.name!r} has no scorer {scorer!r}", hint=f"it has {card.aligner.scorer}"
        )
    if not card.aligner.backbone:
        raise ModelError(f"model {card.name!r} has no scorer {scorer!r}: no model here makes its features")
    score, temperature = _PLAIN[scorer]
    own = card.aligner.scorer == "similarity" or card.aligner.text == "transformer"
    return replace(
        card.aligner,
        scorer="similarity",
        config={"score": score},
        text=card.aligner.text if own else "word2vec",
        temperature=temperature,
        calibration=None,
    )


def words_of(card: ModelCard, spec: AlignerSpec) -> tuple[ModelCard, tuple[str, ...]]:
    """The card that holds the files by which sentences are read, and their roles.

    Raises ModelError for a similarity, or sentence features, of a backbone that reads no sentences.
    """
    if spec.text == "file":
        return card, ()
    if spec.scorer not in ("similarity", "nsva"):
        return card, ("vocab",) if spec.text == "bert" else ("dictionary",)
    backbone = backbone_of(card)
    roles = tuple(entry.role for entry in backbone.files if entry.role in _WORDS)
    if not roles:
        raise ModelError(f"backbone {backbone.name!r} has no sentence encoder", hint="use a model with one")
    return backbone, roles


def takes_text_features(spec: AlignerSpec) -> bool:
    """Whether the scorer reads sentence features, so that they can be given instead of words."""
    return spec.scorer == "nsva"


def reads_words(name: str) -> UsageError:
    """What to say where sentence features are given to another model."""
    return UsageError(f"{name} reads the words of sentences itself", hint="leave --text-features out")


def lacks_text_features(name: str) -> UsageError:
    """What to say where a model has no sentence features, and no way to make them."""
    return UsageError(
        f"{name} reads sentence features, not words",
        hint="give them: --text-features, made by `vidalign extract-text`",
    )


def _own_score(spec: AlignerSpec) -> str:
    """The scorer that a plain similarity is by its score: cosine, or similarity for the dot product."""
    score = spec.config.get("score") if spec.scorer == "similarity" else None
    return next((name for name, (plain, _) in _PLAIN.items() if plain == score), spec.scorer)

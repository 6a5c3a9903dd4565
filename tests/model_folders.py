"""Model folders as training writes them, with small random networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from tests.tiny import WORDS, random_state
from vidalign.aligners import registry as aligners
from vidalign.backbones import registry as backbones
from vidalign.training.product import (
    FeatureSource,
    ModelOptions,
    Precision,
    aligner_card,
    backbone_card,
    write_model_folder,
)
from vidalign.types import Recipe
from vidalign.weights.cards import AlignerSpec, BackboneSpec, Calibration, ModelCard
from vidalign.weights.recipes import get_recipe

VOCABULARY = len(WORDS) + 1
LAYERS = {"mixed_5c": 50, "video_embedding": 16}
BACKBONE = {"width": 0.05, "embedding": 16, "vocabulary": VOCABULARY, "word_dim": 8, "text_hidden": 16}
TAN = {
    "width": 16,
    "heads": 2,
    "video_layers": 1,
    "joint_layers": 3,
    "video_dim": LAYERS["mixed_5c"],
    "text_dim": 16,
    "vocabulary": VOCABULARY,
    "word_dim": 8,
    "text_hidden": 16,
}
PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, "##s")
VIDEOCLIP = {
    "width": 16,
    "heads": 2,
    "hidden": 24,
    "video_layers": 1,
    "text_layers": 1,
    "video_dim": LAYERS["video_embedding"],
    "vocabulary": len(PIECES),
    "positions": 80,
    "clips": 4,
    "first": 2,
    "last": 3,
}
NSVA = {"width": 16, "heads": 2, "hidden": 24, "video_layers": 1, "text_layers": 2, "seconds": 300}


def backbone_spec(recipe: Recipe | None = None) -> BackboneSpec:
    """A narrow S3D."""
    recipe = recipe or get_recipe("mini-8fps")
    return BackboneSpec("s3d", BACKBONE, recipe, (recipe,), LAYERS)


def backbone_folder(
    folder: Path,
    name: str = "own-s3d",
    *,
    seed: int = 1,
    recipe: Recipe | None = None,
    precision: Precision = "float32",
) -> ModelCard:
    """A backbone's folder."""
    spec = backbone_spec(recipe)
    weights = random_state(backbones.state_shapes(spec), seed)
    card = backbone_card(ModelOptions(name), spec)
    return write_model_folder(folder, card, {"backbone": weights}, WORDS, precision=precision)


def aligner_spec(source: FeatureSource, calibration: Calibration | None = None) -> AlignerSpec:
    """A narrow TAN over the source's features."""
    recipe = source.recipe
    return AlignerSpec("tan", TAN, source.card.name, recipe.layer, recipe.name, calibration=calibration)


def aligner_folder(
    folder: Path,
    source: FeatureSource,
    name: str = "own-tan",
    *,
    seed: int = 2,
    calibration: Calibration | None = None,
) -> ModelCard:
    """An aligner's folder."""
    spec = aligner_spec(source, calibration)
    weights = aligner_weights(spec, seed)
    card = aligner_card(ModelOptions(name), spec, notes=("drawn at random",))
    return write_model_folder(folder, card, {"aligner": weights}, WORDS, source=source)


def aligner_weights(spec: AlignerSpec, seed: int = 2) -> dict[str, torch.Tensor]:
    """Random weights of the aligner's shapes."""
    return random_state(aligners.state_shapes(spec), seed)


def embedded() -> Recipe:
    """A recipe for the layer that S3D's own sentences are compared with."""
    return replace(get_recipe("mini-8fps"), name="tiny-embedded", layer="video_embedding")


def videoclip_folder(
    folder: Path, source: FeatureSource, name: str = "own-clip", **config: object
) -> ModelCard:
    """The folder of a narrow VideoCLIP over the source's features."""
    recipe = source.recipe
    values = {**VIDEOCLIP, **config}
    spec = AlignerSpec("tempclr", values, source.card.name, recipe.layer, recipe.name, text="bert")
    card = aligner_card(ModelOptions(name), spec)
    return write_model_folder(folder, card, {"aligner": aligner_weights(spec)}, PIECES, source=source)


def nsva_folder(
    folder: Path, source: FeatureSource | None = None, name: str = "own-nsva", **config: object
) -> ModelCard:
    """The folder of a narrow NSVA over the source's features and sentences, or over any features."""
    if source is None:
        spec = AlignerSpec(
            "nsva", {**NSVA, "video_dim": 12, "text_dim": 10, **config}, "", "", "", text="file"
        )
    else:
        recipe, wide = source.recipe, LAYERS["video_embedding"]
        values = {**NSVA, "video_dim": LAYERS[recipe.layer], "text_dim": wide, **config}
        spec = AlignerSpec("nsva", values, source.card.name, recipe.layer, recipe.name, text="word2vec")
    card = aligner_card(ModelOptions(name), spec)
    weights = aligner_weights(spec)
    return write_model_folder(folder, card, {"aligner": weights}, source=source)

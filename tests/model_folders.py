"""Model folders as training writes them, with small random networks."""

from __future__ import annotations

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

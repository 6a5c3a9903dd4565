"""What a training leaves: a model folder, `card.yaml` beside its safetensors, that `--model PATH` takes."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vidalign._version import __version__
from vidalign.aligners.registry import state_shapes as aligner_shapes
from vidalign.backbones.registry import state_shapes as backbone_shapes
from vidalign.backbones.spec import backbone_spec
from vidalign.errors import ConfigError, DataError, StoreError
from vidalign.store.atomic import atomic_folder
from vidalign.types import Recipe
from vidalign.weights.cache import file_sha256, hash_file, locate, missing_roles
from vidalign.weights.cards import (
    BACKBONE_FOLDER,
    CARD_FILE,
    AlignerSpec,
    BackboneSpec,
    CardFile,
    ModelCard,
    Role,
    card_text,
    check_name,
    get_card,
    is_known,
)
from vidalign.weights.convert import match
from vidalign.weights.tensors import save_tensors

log = logging.getLogger("vidalign.training")

Precision = Literal["float32", "float16"]
Weights = Mapping[str, Tensor]

KINDS = {
    "tan": "temporal alignment network",
    "tempclr": "video and text BERTs",
    "nsva": "multi-sentence grounding network",
}
"""What the scorer of a trained aligner is."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """What the card of the trained model says, and in what precision its weights are stored.

    The name stands in every features file that a backbone makes, so it must not be that of another model.
    """

    name: str
    summary: str = ""
    knows: str = "what its training data show"
    licence: str = "not stated"
    citation: str = "none"
    source: str = f"trained with vidalign {__version__}"
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        check_name(self.name, "name")
        if is_known(self.name):
            raise ConfigError(f"name {self.name!r} is that of a model of the package", hint="choose another")


@dataclass(frozen=True, slots=True)
class FeatureSource:
    """The backbone and recipe whose features an aligner was trained on; `copied` into its model folder."""

    card: ModelCard
    recipe: Recipe
    copied: bool


def feature_source(
    given: str | None,
    *,
    backbone: str | None = None,
    recipe: Recipe | None = None,
    weights_sha256: str | None = None,
) -> FeatureSource:
    """The model that made the features: `given` (card or path), else the one of the name in their files.

    `backbone`, `recipe` and `weights_sha256` are what the files say of themselves (None: nothing). A model
    that is given is copied into the folder, and so is one whose card does not know the recipe. Raises
    ConfigError where the features name no model or another one, ModelError where it is not here.
    """
    if given is None and backbone is None:
        raise ConfigError(
            "the features do not say what made them", hint="name the model as backbone: CARD|PATH"
        )
    if given is None and not is_known(str(backbone)):
        raise ConfigError(
            f"the features come from {backbone}, which is no model of the package",
            hint="say where it is, as backbone: PATH",
        )
    card = get_card(given or str(backbone))
    spec = backbone_spec(card)
    if backbone is not None and backbone != card.name:
        raise ConfigError(f"the features come from {backbone}, not from {card.name}")
    found = recipe or spec.recipe
    known = any(found.name == one.name and not found.differences(one) for one in spec.recipes)
    copied = given is not None or not known
    here = copied or "backbone" not in missing_roles(card)
    if here and weights_sha256 not in (None, ours := file_sha256(card, "backbone")):
        raise ConfigError(
            f"the features come from other weights of {card.name} (sha256 {str(weights_sha256)[:12]}...) "
            f"than those here ({ours[:12]}...)",
            hint="extract them again",
        )
    if not known:
        card = replace(card, backbone=replace(spec, recipes=(*spec.recipes, found)))
    return FeatureSource(card, found, copied)


def backbone_card(
    options: ModelOptions,
    spec: BackboneSpec,
    *,
    score: Literal["dot", "cosine"] = "dot",
    temperature: float = 1.0,
    notes: Sequence[str] = (),
) -> ModelCard:
    """The card, without files, of a backbone; it aligns by the plain similarity of clips and sentences."""
    similarity = AlignerSpec(
        scorer="similarity",
        config={"score": score},
        backbone=options.name,
        layer=spec.recipe.layer,
        recipe=spec.recipe.name,
        temperature=temperature,
    )
    summary = options.summary or f"{spec.family} video and text encoders, trained with MIL-NCE"
    return replace(_card(options, summary, notes), backbone=spec, aligner=similarity)


def encoder_card(
    options: ModelOptions, spec: BackboneSpec, summary: str, *, notes: Sequence[str] = ()
) -> ModelCard:
    """The card, without files, of a backbone that knows no words; `summary` is used where none is given."""
    return replace(_card(options, options.summary or summary, notes), backbone=spec)


def aligner_card(options: ModelOptions, spec: AlignerSpec, *, notes: Sequence[str] = ()) -> ModelCard:
    """The card, without files, of an aligner."""
    summary = (
        options.summary or f"{KINDS[spec.scorer]} over features of {spec.backbone or 'a model elsewhere'}"
    )
    return replace(_card(options, summary, notes), aligner=spec)


def _card(options: ModelOptions, summary: str, notes: Sequence[str]) -> ModelCard:
    return ModelCard(
        name=options.name,
        summary=summary,
        licence=options.licence,
        citation=options.citation,
        source=options.source,
        knows=options.knows,
        files=(),
        notes=tuple(notes),
    )


def write_model_folder(
    folder: Path,
    card: ModelCard,
    weights: Mapping[Role, Weights],
    words: Sequence[str] | None = None,
    *,
    precision: Precision = "float32",
    source: FeatureSource | None = None,
) -> ModelCard:
    """Write a model folder, whole or not at all, over an earlier one; gives the card with its files.

    `weights` are state dicts by role, `words` the dictionary or, for an aligner with BERT text, the lines of
    its vocab.txt; None for a model that knows no words. A `source` that is to be copied goes into the
    subfolder `backbone`. Raises ModelError where weights do not fit the card, DataError where they are not
    finite, StoreError where the folder is not free.
    """
    if folder.exists() and not (folder / CARD_FILE).is_file() and any(folder.iterdir()):
        raise StoreError(f"{folder} is there and is no model folder", hint="choose another, or remove it")
    stored = {role: _storable(card, role, tensors, precision) for role, tensors in weights.items()}
    with atomic_folder(folder) as new:
        for role, tensors in stored.items():
            save_tensors(new / CardFile(role, "").stored_name, tensors)
        roles = list(stored)
        if words is not None:
            bert = card.aligner is not None and card.aligner.text == "bert"
            roles.append("vocab" if bert else "dictionary")
            _write_words(new / CardFile(roles[-1], "").stored_name, words)
        written = _finish(new, card, roles)
        if source is not None and source.copied:
            _copy_backbone(source.card, new / BACKBONE_FOLDER)
    return replace(written, folder=folder.absolute())


def _storable(card: ModelCard, role: Role, tensors: Weights, precision: Precision) -> dict[str, Tensor]:
    """The tensors that the card's network has, checked, as they are stored."""
    if role == "aligner" and card.aligner is not None:
        shapes = aligner_shapes(card.aligner)
    else:
        shapes = backbone_shapes(backbone_spec(card))
    found = {name: t.detach().cpu() for name, t in match(tensors, shapes, what=f"the {role}").items()}
    wrong = [name for name, tensor in found.items() if not torch.isfinite(tensor).all()]
    if wrong:
        raise DataError(f"the {role} holds NaN or infinity ({wrong[0]})", hint="train again, more slowly")
    if precision == "float32":
        return found
    halves = {name: t.half() if t.is_floating_point() else t for name, t in found.items()}
    if not all(torch.isfinite(tensor).all() for tensor in halves.values()):
        log.warning("the %s is too large for float16; it is stored as float32", role)
        return found
    return halves


def _write_words(path: Path, words: Sequence[str]) -> None:
    if path.suffix == ".txt":
        path.write_text("\n".join(words) + "\n", "utf-8")
    else:
        np.save(path, np.array(words, dtype=np.str_), allow_pickle=False)


def _copy_backbone(card: ModelCard, folder: Path) -> None:
    """The files that make features, and the words of the sentence encoder, under a card of their own."""
    folder.mkdir()
    roles: list[Role] = [entry.role for entry in card.files if entry.role != "aligner"]
    for role in roles:
        shutil.copyfile(locate(card, role), folder / CardFile(role, "").stored_name)
    own = card.aligner is not None and card.aligner.scorer == "similarity"
    _finish(folder, card if own else replace(card, aligner=None), roles)


def _finish(folder: Path, card: ModelCard, roles: Sequence[Role]) -> ModelCard:
    """Write the card of files that lie there; gives it."""
    entries = []
    for role in roles:
        path = folder / CardFile(role, "").stored_name
        path.chmod(0o644)
        entries.append(CardFile(role, path.name, path.stat().st_size, hash_file(path)))
    written = replace(card, files=tuple(entries))
    (folder / CARD_FILE).write_text(card_text(written), "utf-8")
    return written

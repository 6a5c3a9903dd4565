"""Features and a transcript become an alignment."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from vidalign._version import __version__
from vidalign.aligners.calibrate import alignability, confidence, threshold_of
from vidalign.aligners.decoders import get_decoder
from vidalign.aligners.decoders.evidence import Evidence
from vidalign.aligners.registry import Aligner
from vidalign.aligners.scores import sentence_times
from vidalign.aligners.windowing import Windowing
from vidalign.errors import DataError
from vidalign.store.features import content_sha256
from vidalign.types import Alignment, Features, Transcript
from vidalign.weights.cache import file_sha256, missing_roles
from vidalign.weights.cards import ModelCard, backbone_of, recipe_of


@dataclass(frozen=True, slots=True)
class AlignSettings:
    """What a user may choose; None: what the model card says. `decoder` is NAME or NAME:KEY=VALUE,..."""

    decoder: str | None = None
    threshold: float | None = None
    windowing: Windowing = field(default_factory=Windowing)


def align_features(
    features: Features, transcript: Transcript, aligner: Aligner, settings: AlignSettings | None = None
) -> Alignment:
    """Score every sentence against every clip and decode; raises DataError where features do not fit."""
    settings = settings or AlignSettings()
    check_features(features, aligner)
    if not transcript.sentences:
        raise DataError(f"{transcript.source or 'the transcript'} has no sentence", hint="give one with text")
    decoder = get_decoder(settings.decoder or aligner.spec.decoder)
    calibration = aligner.spec.calibration
    scores = aligner.scorer.score(features, transcript.sentences, settings.windowing)
    worth = alignability(scores, calibration)
    threshold = threshold_of(calibration, settings.threshold, drops=decoder.drops)
    spoken = sentence_times(transcript.sentences)
    score_name, temperature = aligner.scorer.score_name, aligner.spec.temperature
    found = decoder(Evidence(scores.similarity, features.times, spoken, score_name, temperature))
    aligned = (worth.values >= threshold) & found.kept
    segments = np.where(aligned[:, None], found.segments, np.nan)
    return Alignment(
        similarity=scores.similarity,
        alignability=worth.values,
        confidence=confidence(scores.similarity, features.times, segments, temperature),
        aligned=aligned,
        segments=segments,
        times=features.times,
        sentences=transcript.sentences,
        cues=transcript.cues,
        scorer=aligner.scorer.name,
        decoder=decoder.written,
        model=aligner.card.name,
        score=score_name,
        temperature=temperature,
        windowing=scores.windowing,
        text_model=aligner.scorer.text_model,
        features_recipe=features.recipe,
        features_weights_sha256=features.weights_sha256,
        features_sha256=content_sha256(features),
        video_size=features.video_size,
        weights_sha256=aligner.sha256,
        threshold=float(threshold),
        alignability_kind=worth.kind,
        video=features.video,
        subtitles=transcript.source or None,
        vidalign_version=__version__,
    )


def check_features(features: Features, aligner: Aligner) -> None:
    """Raise DataError unless the features come from the backbone, layer and recipe that the aligner needs."""
    vectors, spec = features.features, aligner.spec
    if vectors.ndim != 2 or not len(vectors):
        raise DataError(
            f"the features have shape {vectors.shape}, not (clips, width)", hint="extract them again"
        )
    if not np.isfinite(vectors).all():
        raise DataError("the features hold NaN or infinity", hint="extract them again")
    if features.pooling is not None:
        raise DataError("the features are of the video as a whole", hint="extract them without --gvf")
    if not spec.backbone:
        _check_width(features, int(spec.config.get("video_dim", vectors.shape[1])), aligner.card.name)
        return
    needed = (
        f"{aligner.card.name} needs {spec.backbone} features of layer {spec.layer} by recipe {spec.recipe}"
    )
    backbone = backbone_of(aligner.card)
    again = f"run `vidalign extract VIDEO -o DIR --backbone {backbone.reference} --recipe {spec.recipe}`"
    if features.backbone is not None and features.backbone != backbone.name:
        raise DataError(f"the features come from backbone {features.backbone}, {needed}", hint=again)
    if features.recipe is not None:
        differences = features.recipe.differences(recipe_of(aligner.card))
        if spec.scorer == "similarity":
            differences = [d for d in differences if not d.startswith("layer:")]
        if differences:
            theirs = f"recipe {features.recipe.name} (theirs / needed: {'; '.join(differences)})"
            raise DataError(f"the features come from {theirs}, {needed}", hint=again)
    _check_weights(features, aligner)
    width = feature_width(backbone, spec.layer)
    if spec.scorer != "similarity" and vectors.shape[1] != width:
        raise DataError(f"the features are {vectors.shape[1]} wide, {needed} ({width} wide)", hint=again)


def _check_width(features: Features, wanted: int, name: str) -> None:
    """Raise DataError where features that no model here makes are not as wide as the aligner's."""
    if features.features.shape[1] != wanted:
        raise DataError(
            f"the features are {features.features.shape[1]} wide, {name} needs {wanted}",
            hint=f"`vidalign models show {name}` says which features it was trained on",
        )


def _check_weights(features: Features, aligner: Aligner) -> None:
    """Raise DataError where the features are known to come from other weights than the backbone's here."""
    card, theirs = backbone_of(aligner.card), features.weights_sha256
    if theirs is None or "backbone" in missing_roles(card):
        return
    ours = aligner.sha256 if aligner.spec.scorer == "similarity" else file_sha256(card, "backbone")
    if theirs != ours:
        raise DataError(
            f"the features come from other weights of {card.name} (sha256 {theirs[:12]}...) "
            f"than those here ({ours[:12]}...)",
            hint="extract them again",
        )


def feature_width(card: ModelCard, layer: str) -> int:
    """Width of a backbone card's layer."""
    if card.backbone is None or layer not in card.backbone.layers:
        raise DataError(f"{card.name} has no layer {layer!r}")
    return card.backbone.layers[layer]

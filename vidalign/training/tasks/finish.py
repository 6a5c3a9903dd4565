"""What tasks that train aligners share: whose features they read, and how sure the model is."""

from __future__ import annotations

import logging

from vidalign.aligners.scores import Scorer
from vidalign.errors import DataError
from vidalign.training.data.rows import Origin
from vidalign.training.product import FeatureSource, feature_source
from vidalign.training.tasks.heldout import KnownTruth
from vidalign.weights.cards import Calibration, ModelCard

_LOG = logging.getLogger("vidalign.training")


def source_of(given: str | None, near: ModelCard | None, origin: Origin) -> FeatureSource:
    """What made the features: `given` (card or path), or the backbone of the model that the run starts from,
    `near`, where it is the one. Raises ConfigError or ModelError."""
    if given is None and near is not None and origin.backbone in (None, near.name):
        given = near.reference if near.folder is not None or origin.backbone is None else None
    return feature_source(
        given, backbone=origin.backbone, recipe=origin.recipe, weights_sha256=origin.weights_sha256
    )


def fitted(truth: KnownTruth | None, scorer: Scorer) -> Calibration | None:
    """The calibration, where the truth is given; where it does not tell enough, there is none."""
    if truth is None or not truth.options.calibrate:
        return None
    try:
        return truth.calibration(scorer)
    except DataError as error:
        _LOG.warning("the model is not calibrated: %s", error)
        return None

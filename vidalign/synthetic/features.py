"""Features of a plan without its pictures, for large training sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vidalign._version import __version__
from vidalign.store.features import write_features
from vidalign.synthetic.generate import Sample
from vidalign.synthetic.rule import FeatureRule, load_rule
from vidalign.types import Features
from vidalign.weights.recipes import get_recipe

BACKBONE, RECIPE = "mini", "mini-8fps"


def write_features_only(
    folder: Path, sample: Sample, rule: FeatureRule | None = None, backbone: str = BACKBONE
) -> Path:
    """Write `features/NAME.h5`, one row a second, as `extract --backbone mini` would nearly make it.

    `rule`: that of another `backbone` than the bundled one.
    """
    plan = sample.plan
    drawn = (rule or load_rule()).draw(plan)
    seconds = np.arange(len(drawn), dtype=np.float64)
    features = Features(
        features=drawn.astype(np.float16),
        times=np.stack([seconds, seconds + 1], axis=1),
        backbone=backbone,
        recipe=get_recipe(RECIPE),
        reader="vidalign synth --features-only",
        video=f"{plan.name}.mp4",
        duration=plan.settings.seconds,
        video_start=0.0,
        vidalign_version=__version__,
    )
    path = folder / "features" / f"{plan.name}.h5"
    write_features(path, features)
    return path

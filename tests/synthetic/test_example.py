"""The committed example is what its README says; what the bundled model makes of it is tested elsewhere."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
import yaml

from vidalign.evaluation.annotations import TruthRow, read_annotations
from vidalign.synthetic.drawing import draw_frames
from vidalign.synthetic.encoding import rgb_to_yuv420
from vidalign.synthetic.generate import Sample, draw_sample, webvtt
from vidalign.synthetic.settings import WorldSettings
from vidalign.text.subtitles import read_subtitles

EXAMPLES = Path(__file__).parents[2] / "examples"
SEED = 20260001
SECONDS = 170


@pytest.fixture(scope="module")
def sample() -> Sample:
    return draw_sample(SEED, 0, WorldSettings(seconds=SECONDS))


@pytest.fixture(scope="module")
def rows() -> tuple[TruthRow, ...]:
    return read_annotations(EXAMPLES / "howto.truth.json")["howto"]


def test_cues_and_truth_belong_together(rows: tuple[TruthRow, ...]) -> None:
    cues = read_subtitles(EXAMPLES / "howto.vtt").cues
    assert [cue.plain for cue in cues] == [row.text for row in rows]


def test_the_stated_seed_makes_it(sample: Sample, rows: tuple[TruthRow, ...]) -> None:
    assert [tuple(row) for row in sample.truth] == [tuple(row) for row in rows]
    assert webvtt(sample.narration) == (EXAMPLES / "howto.vtt").read_text("utf-8")
    assert str(SEED) in (EXAMPLES / "README.md").read_text("utf-8")


def test_the_video_shows_what_the_seed_draws(sample: Sample) -> None:
    """Compared in blocks of 8x8 pixels, which evens out what the encoder loses."""
    height, width = sample.plan.settings.height, sample.plan.settings.width
    with av.open(str(EXAMPLES / "howto.mp4")) as container:
        decoded = [frame.to_ndarray()[:height] for frame in islice(container.decode(video=0), 60)]
    for drawn, shown in zip(draw_frames(sample.plan), decoded, strict=False):
        error = rgb_to_yuv420(drawn)[:height].astype(int) - shown
        blocks = error.reshape(height // 8, 8, width // 8, 8).mean(axis=(1, 3))
        assert np.abs(blocks).max() < 4


def test_the_example_was_not_trained_on() -> None:
    config = yaml.safe_load((EXAMPLES / "recipes" / "mini" / "mini.yaml").read_text("utf-8"))
    seeds = [world["seed"] for part in ("worlds", "features_only") for world in config[part].values()]
    assert len(seeds) == len(set(seeds))
    assert SEED not in seeds

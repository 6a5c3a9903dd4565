"""Features without pictures: as the bundled backbone would make them, and as good to learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidalign.aligners.registry import load_aligner
from vidalign.cli.main import main
from vidalign.store.features import read_features
from vidalign.synthetic.features import write_features_only
from vidalign.synthetic.generate import draw_sample, generate
from vidalign.synthetic.rule import load_rule
from vidalign.synthetic.settings import LEVELS, make_settings
from vidalign.synthetic.states import STATES, second_states, shot_of_seconds
from vidalign.training.tasks.heldout import KnownTruth, TruthOptions
from vidalign.weights.recipes import get_recipe

SETTINGS = make_settings({"level": "published", "seconds": 70})
TRAIN_SEED, TEST_SEED, VIDEOS = 5101, 5102, 14


def run(*arguments: object) -> None:
    assert main([*map(str, arguments), "-q"]) == 0


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two worlds with videos and the backbone's features of them, and the first one without pictures."""
    folder = tmp_path_factory.mktemp("worlds")
    for name, seed in (("drawn", TRAIN_SEED), ("test", TEST_SEED)):
        list(generate(folder / name, VIDEOS, seed, SETTINGS))
        run("extract", folder / name / "videos", "-o", folder / name / "features", "--backbone", "mini")
    list(generate(folder / "told", VIDEOS, TRAIN_SEED, SETTINGS, write=write_features_only))
    return folder


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    sample = draw_sample(3, 0, SETTINGS)
    path = write_features_only(tmp_path, sample)
    features = read_features(path)
    assert path == tmp_path / "features" / "howto-3-0000.h5"
    assert features.features.shape == (70, 256) and features.features.dtype == np.float16
    assert features.times.tolist() == [[second, second + 1] for second in range(70)]
    assert (features.backbone, features.recipe) == ("mini", get_recipe("mini-8fps"))
    assert features.weights_sha256 is None
    assert path.read_bytes() == write_features_only(tmp_path / "again", sample).read_bytes()


def test_states_are_shares_of_what_a_second_shows() -> None:
    sample = draw_sample(4, 1, LEVELS["hard"])
    states = second_states(sample.plan)
    assert states.shape == (160, STATES)
    colours, shapes = states[:, :9].sum(axis=1), states[:, 9:17].sum(axis=1)
    assert np.allclose(colours, shapes, atol=1e-6)
    nothing = states[:, 38:40].sum(axis=1)
    assert np.allclose(colours + nothing, 1, atol=1e-6)
    shots = sample.plan.shots
    assert [
        shots[shot].start <= 12 * t + 6 < shots[shot].end
        for t, shot in enumerate(shot_of_seconds(sample.plan))
    ]


def test_the_rule_is_near_what_the_backbone_makes(worlds: Path) -> None:
    left, rows, drawn = [], [], []
    for index in range(VIDEOS):
        plan = draw_sample(TEST_SEED, index, SETTINGS).plan
        real = read_features(worlds / "test" / "features" / f"{plan.name}.h5").features.astype(np.float32)
        expected = load_rule().mean(second_states(plan))
        left.append(real - expected)
        rows.append(real)
        drawn.append(load_rule().draw(plan))
    real, told = np.concatenate(rows), np.concatenate(drawn)
    explained = 1 - np.concatenate(left).var(axis=0).sum() / real.var(axis=0).sum()
    assert explained > 0.6
    assert told.mean() == pytest.approx(real.mean(), rel=0.1)
    assert told.std(axis=0).mean() == pytest.approx(real.std(axis=0).mean(), rel=0.15)


CONFIG = """
task: tan
warm_start: mini
network: {{heads: 4, video_layers: 1, joint_layers: 1, text_positions: true}}
small_residual: 0.1
data:
  training: {{features: {world}/features, subtitles: {world}/subtitles}}
  holding: {{validation_share: 0}}
  windows: {{seq_len: 64, jitter: 5, per_video: 8}}
loss: {{negatives: video}}
optimizer: {{learning_rate: 0.0005, warmup: 20}}
training: {{steps: 120, batch: 8, workers: 0, threads: 1, clip_grad: 1.0}}
model: {{name: small}}
backbone: mini
"""


def recalls(worlds: Path, trained_on: str) -> float:
    config = worlds / f"{trained_on}.yaml"
    config.write_text(CONFIG.format(world=worlds / trained_on))
    run("train", config, "-o", worlds / f"run-{trained_on}")
    return recall_of(worlds / f"run-{trained_on}" / "model", worlds / "test")


def recall_of(model: Path, world: Path) -> float:
    known = KnownTruth(TruthOptions(world / "truth.json", world / "features"), "both")
    return known.metrics(load_aligner(str(model)).scorer)["recall"]


def test_training_without_pictures_is_nearly_as_good(worlds: Path) -> None:
    with_pictures, without = recalls(worlds, "drawn"), recalls(worlds, "told")
    assert with_pictures > 0.4
    assert without >= with_pictures - 0.05

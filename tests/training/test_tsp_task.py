"""`task: tsp` from its YAML to a model folder that extracts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.model_folders import backbone_folder
from tests.tiny import draw_video, made_features
from vidalign.backbones.registry import load_backbone
from vidalign.batch.encoding import extract_features
from vidalign.batch.extraction import Extraction
from vidalign.errors import ConfigError
from vidalign.store.features import write_features
from vidalign.training.config import Configuration, read_config
from vidalign.training.jobs import Batch
from vidalign.training.tasks.tsp import TspJob
from vidalign.training.train import make_job, train
from vidalign.weights.cards import get_card

RECIPE = """{name: tiny-tsp, fps: 8, frames: 8, stride: 1, size: [24, 32], crop_size: 24, resize: exact,
  mean: [0.4, 0.4, 0.4], std: [0.2, 0.2, 0.2], layer: features}"""
CONFIG = """task: tsp
data:
  training: {{videos: {0}, segments: {0}/train.csv}}
  validation: {{videos: {0}, segments: {0}/held.csv}}
  clips: {{per_segment: 2, balanced: true}}
  cache: {0}/cache
recipe: {0}/recipe.yaml
network: {{separable: false, width: 0.03125}}
rates: {{stem: 1.0, heads: 5.0}}
model: {{name: own-tsp}}
training: {{steps: 2, batch: 4, workers: 0, validate_every: 1, keep: best, metric: accuracy, goal: higher}}
optimizer: {{name: sgd, learning_rate: 0.01, warmup: 0, schedule: constant, decayed: all}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos with their tables, recipe and global features."""
    made = tmp_path_factory.mktemp("tsp")
    for name, seed in (("a", 1), ("b", 2)):
        draw_video(made / f"{name}.mp4", 4.0, seed=seed)
        write_features(made / "gvf" / f"{name}.h5", made_features(1, 7, seed=seed, pooling="max"))
    (made / "train.csv").write_text("video,start,end,label\na,0,2,spin\na,2,4,\nb,0,2,fall\nb,2.5,3,spin\n")
    (made / "held.csv").write_text("video,start,end,label\nb,0,2,spin\nb,2,4,\n")
    (made / "recipe.yaml").write_text(RECIPE)
    (made / "tsp.yaml").write_text(CONFIG.format(made))
    return made


@pytest.fixture
def config(folder: Path) -> Callable[..., Configuration]:
    return lambda *changes: read_config(folder / "tsp.yaml", changes)


@pytest.fixture(autouse=True)
def too_short_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "vidalign.training")


def test_a_run_leaves_a_model_that_extracts(
    config: Callable[..., Configuration], folder: Path, tmp_path: Path
) -> None:
    trained = train(config(), tmp_path / "run", device="cpu")
    card = get_card(str(trained.model))
    assert card.uses == ("extract",) and card.backbone is not None
    assert card.backbone.layers == {"features": 16, "action": 2, "region": 2}
    assert "R3D-18" in card.summary and "fall, spin" in " ".join(card.notes)
    features = extract_features(folder / "a.mp4", Extraction(str(trained.model), device="cpu"))
    assert features.features.shape == (4, 16) and np.ptp(features.features) > 0
    assert features.recipe is not None and features.recipe.name == "tiny-tsp"


def test_global_features_widen_the_second_head(
    config: Callable[..., Configuration], folder: Path, tmp_path: Path
) -> None:
    job = make_job(config(f"gvf={folder}/gvf"), tmp_path)
    assert isinstance(job, TspJob)
    objective = job.objective()
    assert objective.network.fc2.in_features == 16 + 7
    numbers = job.validate(objective.eval())
    mean = (numbers["action_accuracy"] + numbers["region_accuracy"]) / 2
    assert numbers["accuracy"] == pytest.approx(mean)
    assert {"action_loss", "region_loss"} < set(numbers)


def test_accuracies_count_every_held_out_clip_once(
    config: Callable[..., Configuration], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(config(), tmp_path)
    objective = job.objective()
    monkeypatch.setattr(type(objective), "scores", constant_scores)
    numbers = job.validate(objective)
    assert numbers["action_accuracy"] == 1.0
    assert numbers["region_accuracy"] == 0.5


def constant_scores(self: object, batch: Batch) -> dict[str, torch.Tensor]:
    """The last action and `Action` for every clip."""
    count = len(batch["action"])
    return {
        "action": torch.tensor([[0.0, 1.0]]).expand(count, 2),
        "region": torch.tensor([[1.0, 0.0]]).expand(count, 2),
    }


def test_the_control_learns_from_actions_alone(config: Callable[..., Configuration], tmp_path: Path) -> None:
    job = make_job(config("loss.objective=tac"), tmp_path)
    assert isinstance(job, TspJob)
    data = job.data("training")
    assert data is not None and {stretch.action for stretch in data.stretches} == {0, 1}
    assert set(job.objective().network.heads) == {"action"}
    assert set(job.validate(job.objective().eval())) == {"action_loss", "action_accuracy", "accuracy"}


def test_training_goes_on_from_another_encoder(config: Callable[..., Configuration], tmp_path: Path) -> None:
    first = train(config("loss.objective=tac"), tmp_path / "tac", device="cpu").model
    job = make_job(config("network=null", f"init_from={first}", "rates.stem=0"), tmp_path / "tsp")
    objective = job.objective()
    begun = load_backbone(str(first)).network
    for name, value in begun.features.state_dict().items():  # type: ignore[operator, union-attr]
        assert torch.equal(value, objective.network.features.state_dict()[name]), name  # type: ignore[union-attr]
    assert set(objective.network.heads) == {"action", "region"}  # type: ignore[arg-type, union-attr]
    assert not any("stem" in name for name in objective.decay_names())


def test_another_kind_of_network_is_refused(config: Callable[..., Configuration], tmp_path: Path) -> None:
    backbone_folder(tmp_path / "s3d")
    job = make_job(config("network=null", f"init_from={tmp_path / 's3d'}"), tmp_path)
    with pytest.raises(ConfigError, match=r"neither R\(2\+1\)D nor R3D"):
        job.objective()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("loss.objective=tac", "gvf=somewhere"), "gvf goes with objective tsp"),
        (("rates.stem=0",), "must have been trained"),
        (("init_from=tsp-r3d-18",), "network is what init_from brings"),
        (("gvf=nowhere",), "no folder nowhere"),
    ],
)
def test_settings_that_cannot_be(
    config: Callable[..., Configuration], tmp_path: Path, changes: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        make_job(config(*changes), tmp_path).data("training")

"""`task: action` from its YAML to a model folder that extracts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from vidalign.backbones.registry import load_backbone
from vidalign.backbones.resnet2d import ResNet2d
from vidalign.backbones.tanet import TANet
from vidalign.batch.encoding import extract_features
from vidalign.batch.extraction import Extraction
from vidalign.errors import ConfigError, ModelError
from vidalign.synthetic.encoding import encode
from vidalign.training.config import Configuration, read_config
from vidalign.training.objectives.action import ActionObjective, ActionOptions
from vidalign.training.tasks.action import ActionJob
from vidalign.training.train import make_job, train
from vidalign.types import Recipe
from vidalign.weights.cards import get_card

RECIPE = (
    "{name: tiny-action, fps: 8, frames: 4, step: 2, stride: 1, size: 32, crop_size: 32, layer: features}"
)
CONFIG = """task: action
data:
  training: {{videos: {0}/train}}
  validation: {{videos: {0}/held}}
  clips: {{crops: [1, 0.875]}}
  cache: {0}/cache
recipe: {0}/recipe.yaml
network: {{depth: 18, temporal: tam, width: 0.125, dropout: 0.0}}
model: {{name: own-action}}
training: {{steps: 12, batch: 4, workers: 0, validate_every: 12, clip_grad: 20}}
optimizer: {{name: sgd, learning_rate: 0.05, warmup: 2, schedule: constant, decayed: all}}
"""


def draw(path: Path, order: tuple[int, int], seed: int) -> None:
    """A second in two grey levels with grain, one after the other: only their order tells classes apart."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed)
    levels = [order[0]] * 4 + [order[1]] * 4
    frames = [np.clip(noise.normal(level, 8, (32, 32, 3)), 0, 255).astype(np.uint8) for level in levels]
    encode(path, frames, 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Videos that become brighter, and darker ones; recipe and configuration."""
    made = tmp_path_factory.mktemp("action")
    for split, count in (("train", 6), ("held", 3)):
        for number in range(count):
            shift = 7 * number
            draw(made / split / "brighter" / f"{number}.mp4", (60 + shift, 160 + shift), number)
            draw(made / split / "darker" / f"{number}.mp4", (160 + shift, 60 + shift), number + 50)
    (made / "recipe.yaml").write_text(RECIPE)
    (made / "action.yaml").write_text(CONFIG.format(made))
    return made


@pytest.fixture
def config(folder: Path) -> Callable[..., Configuration]:
    return lambda *changes: read_config(folder / "action.yaml", changes)


def records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_the_order_of_frames_is_learnt_and_the_model_extracts(
    config: Callable[..., Configuration], folder: Path, tmp_path: Path
) -> None:
    trained = train(config("training.steps=40", "training.validate_every=40"), tmp_path / "run", device="cpu")
    last = [record for record in records(tmp_path / "run") if "validation/accuracy" in record][-1]
    assert last["validation/accuracy"] == 1.0 and last["validation/top5"] == 1.0
    card = get_card(str(trained.model))
    assert card.uses == ("extract",) and card.backbone is not None
    assert card.backbone.layers == {"features": 64, "logits": 2}
    assert "temporal adaptive" in card.summary and "brighter, darker" in " ".join(card.notes)
    assert (tmp_path / "run" / "classes.txt").read_text() == "brighter\ndarker\n"
    features = extract_features(
        folder / "held" / "darker" / "0.mp4", Extraction(str(trained.model), device="cpu")
    )
    assert features.features.shape == (1, 64) and np.ptp(features.features) > 0


def test_validation_counts_every_video_once(config: Callable[..., Configuration], tmp_path: Path) -> None:
    job = make_job(config(), tmp_path)
    assert isinstance(job, ActionJob)
    objective = job.objective().eval()
    nn.init.zeros_(objective.network.fc.weight)
    objective.network.fc.bias.data = torch.tensor([0.0, 1.0])
    numbers = job.validate(objective)
    assert numbers["accuracy"] == 0.5 and numbers["top5"] == 1.0
    assert numbers["loss"] == pytest.approx(float(np.log(1 + np.e) - 0.5), rel=1e-4)


@pytest.mark.parametrize("temporal", ["none", "shift", "tam"])
def test_networks_have_what_was_asked_for(
    config: Callable[..., Configuration], tmp_path: Path, temporal: str
) -> None:
    job = make_job(config(f"network.temporal={temporal}", "network.width=0.25"), tmp_path)
    assert isinstance(job, ActionJob)
    network = job.objective().network
    assert network.base.channels == 128 and network.frames == 4
    assert any(".tam." in name for name in network.state_dict()) is (temporal == "tam")


def test_pictures_weights_begin_a_network(config: Callable[..., Configuration], tmp_path: Path) -> None:
    torch.manual_seed(7)
    pictures = ResNet2d(18, width=0.125)
    state = {**pictures.state_dict(), "fc.weight": torch.zeros(1000, 64), "fc.bias": torch.zeros(1000)}
    torch.save(state, tmp_path / "resnet.pth")
    job = make_job(config(f"init_from={tmp_path / 'resnet.pth'}"), tmp_path)
    assert isinstance(job, ActionJob)
    begun = job.objective().network.base.state_dict()
    assert all(torch.equal(begun[name], value) for name, value in pictures.state_dict().items())
    assert len(begun) > len(pictures.state_dict())
    del state["layer2.0.bn1.weight"]
    torch.save(state, tmp_path / "resnet.pth")
    with pytest.raises(ModelError, match=r"1 missing \(layer2\.0\.bn1\.weight\)"):
        job.objective()


def test_a_trained_network_begins_another(config: Callable[..., Configuration], tmp_path: Path) -> None:
    first = train(config("training.steps=2"), tmp_path / "one", device="cpu").model
    job = make_job(config(f"init_from={first}"), tmp_path / "two")
    assert isinstance(job, ActionJob)
    found = job.objective().network
    trained = load_backbone(str(first)).network.state_dict()
    assert all(torch.equal(value, trained[name]) for name, value in found.state_dict().items())
    with pytest.raises(ConfigError, match="no ResNet over frames"):
        make_job(config("init_from=mini"), tmp_path / "three").objective()


def test_partial_batch_norm_keeps_all_but_the_first() -> None:
    torch.manual_seed(0)
    recipe = Recipe("r", fps=8, frames=4, stride=1, size=32, crop_size=32, layer="features")
    objective = ActionObjective(TANet(18, 4, classes=3, width=0.125), recipe, ActionOptions(partial_bn=True))
    objective.train()
    before = {name: value.clone() for name, value in objective.state_dict().items()}
    batch = {
        "clips": torch.randint(0, 256, (2, 3, 4, 32, 32), dtype=torch.uint8),
        "labels": torch.tensor([0, 2]),
    }
    objective(batch)["loss"].backward()
    after = objective.state_dict()
    moved = {
        name for name in after if name.endswith("running_mean") and not torch.equal(before[name], after[name])
    }
    assert "network.base.bn1.running_mean" in moved
    assert all(".tam." in name for name in moved - {"network.base.bn1.running_mean"}) and len(moved) > 1
    trained = objective.decay_names()
    assert all(value.grad is not None for value in trained.values())
    assert "network.base.bn1.weight" in trained and "network.base.layer1.0.bn1.weight" not in trained


def test_the_classifier_learns_faster_where_wished() -> None:
    recipe = Recipe("r", fps=8, frames=4, stride=1, size=32, crop_size=32, layer="features")
    options = ActionOptions(classifier=5, classifier_bias=10)
    objective = ActionObjective(TANet(18, 4, classes=3, width=0.125), recipe, options)
    assert objective.rate_multipliers() == {"network.fc.weight": 5, "network.fc.bias": 10}
    assert set(objective.rate_multipliers()) < set(objective.decay_names())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("network.depth=19",), "depth is 19"),
        (("network.width=0",), "width"),
        (("network.dropout=1",), "dropout"),
        (("loss.classifier=0",), "classifier"),
        (("data.training.manifest=x.csv",), "videos or a manifest"),
        (("recipe=tanet-dense10-8",), "training needs"),
    ],
)
def test_settings_that_cannot_be(
    config: Callable[..., Configuration], tmp_path: Path, changes: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        make_job(config(*changes), tmp_path).data("training")

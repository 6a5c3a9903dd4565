"""`task: steps` from its YAML to a model folder that finds steps."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmarks.steps import annotate
from tests.model_folders import backbone_folder
from tests.tiny import Run, cli
from tests.training.conftest import records
from vidalign.aligners.scorers.videoclip import VideoCLIP
from vidalign.errors import ConfigError, ModelError
from vidalign.synthetic.features import write_features_only
from vidalign.synthetic.generate import generate
from vidalign.synthetic.settings import WorldSettings
from vidalign.training.config import Configuration, read_config
from vidalign.training.product import ModelOptions, aligner_card, feature_source, write_model_folder
from vidalign.training.train import make_job, train
from vidalign.weights.cards import AlignerSpec, get_card
from vidalign.weights.tensors import load_tensors

__all__ = ["cli"]

CONFIG = """task: steps
seed: 1
data:
  features: {0}/features
  tasks: {0}/tasks.txt
  annotations: {0}/annotations
  holding: {{validation_share: 0.25}}
init_from: {0}/start
model: {{name: own-steps}}
training:
  {{steps: 4, batch: 1, workers: 0, threads: 1, log_every: 1, checkpoint_every: 1, clip_grad: 2.0}}
optimizer: {{learning_rate: 2e-3, warmup: 2, betas: [0.9, 0.98], weight_decay: 0, schedule: polynomial}}
"""
HELD = 6
"""Videos of the world that validate."""
Config = Callable[..., Configuration]


def start(folder: Path, words: list[str]) -> None:
    """A small VideoCLIP that has learned nothing."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words]
    small = {"width": 32, "heads": 2, "hidden": 48, "video_layers": 1, "text_layers": 1, "dropout": 0.0}
    marks = {"vocabulary": len(pieces), "first": 2, "last": 3}
    config = {**small, **marks, "video_dim": 256, "clips": 16, "positions": 64}
    source = feature_source("mini")
    spec = AlignerSpec("tempclr", config, "mini", source.recipe.layer, source.recipe.name, text="bert")
    torch.manual_seed(0)
    weights = {"aligner": VideoCLIP(**config).state_dict()}  # type: ignore[arg-type]
    write_model_folder(folder, aligner_card(ModelOptions("start"), spec), weights, pieces, source=source)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world of small videos with annotated steps, and a network to go on from."""
    made = tmp_path_factory.mktemp("steps")
    list(generate(made, 4 * HELD, 1, WorldSettings(seconds=40.0), write=write_features_only))
    start(made / "start", sorted(set(re.findall(r"\w+", annotate(made).lower()))))
    (made / "steps.yaml").write_text(CONFIG.format(made))
    return made


@pytest.fixture
def config(folder: Path) -> Config:
    return lambda *changes: read_config(folder / "steps.yaml", changes)


@pytest.fixture(scope="module")
def model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained model."""
    changes = ("steps=100", "batch=4", "validate_every=100", "checkpoint_every=0")
    run = tmp_path_factory.mktemp("runs")
    config = read_config(folder / "steps.yaml", [f"training.{change}" for change in changes])
    return train(config, run / "run", device="cpu").model


def test_recall_rises_over_the_start(model: Path) -> None:
    first, *_, last = (row for row in records(model.parent) if "validation/recall" in row)
    assert (first["step"], last["step"]) == (0, 100)
    for name in ("recall", "recall_softmax", "recall_peak"):
        assert last[f"validation/{name}"] > first[f"validation/{name}"] + 0.1, name
    assert last["validation/loss"] < first["validation/loss"]


def test_the_metric_is_what_the_evaluation_says(model: Path, folder: Path, tmp_path: Path, cli: Run) -> None:
    truth = sorted((folder / "annotations").iterdir(), key=lambda path: path.name.split("_")[0])
    (tmp_path / "held").mkdir()
    for path in truth[:HELD]:
        (tmp_path / "held" / path.name).write_bytes(path.read_bytes())
    line = ("eval", "steps", folder / "tasks.txt", tmp_path / "held", "--features", folder / "features")
    code, out, err = cli(*line, "--model", model, "--resamples", "0", "--json", "-q")
    assert code == 0, err
    found = {row["decoder"]: row["recall"]["value"] for row in map(json.loads, out.splitlines())}
    known = records(model.parent)[-1]
    metrics = {"steps": "recall", "steps:cost=softmax": "recall_softmax", "peak": "recall_peak"}
    for decoder, name in metrics.items():
        assert found[decoder] == pytest.approx(known[f"validation/{name}"]), decoder


def test_the_model_finds_steps(model: Path, folder: Path, cli: Run) -> None:
    card = get_card(str(model))
    spec = card.aligner
    assert spec is not None and (spec.scorer, spec.decoder, spec.text) == ("tempclr", "steps", "bert")
    assert (spec.config["score"], spec.temperature, spec.backbone) == ("dot", 1.0, "mini")
    assert card.notes == ("Trained on the steps of 18 tasks in 18 videos.",)
    assert (model / "vocab.txt").read_bytes() == (folder / "start" / "vocab.txt").read_bytes()
    features = next((folder / "features").iterdir())
    line = ("steps", "--features", features, folder / "tasks.txt", "--task", "0", "--model", model)
    code, out, err = cli(*line, "--json", "-q")
    assert code == 0, err
    seconds = [json.loads(row)["second"] for row in out.splitlines()]
    assert len(seconds) > 1 and seconds == sorted(seconds)


def test_a_run_that_is_stopped_goes_on_as_if_it_had_not(config: Config, tmp_path: Path) -> None:
    def stop(done: int, steps: int, note: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config(), tmp_path / "cut", device="cpu", watch=stop)
    cut, whole = (train(config(), tmp_path / name, device="cpu").model for name in ("cut", "whole"))
    assert (cut / "aligner.safetensors").read_bytes() == (whole / "aligner.safetensors").read_bytes()


def test_the_norms_alone_and_nothing_to_validate_on(config: Config, folder: Path, tmp_path: Path) -> None:
    changes = ("loss.trained=norms", "data.holding.validation_share=0", "training.validate_every=2")
    later = train(config(*changes), tmp_path / "run", device="cpu").model
    before, after = (load_tensors(path / "aligner.safetensors") for path in (folder / "start", later))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved and all("LayerNorm" in name for name in moved)
    assert not any("validation" in name for row in records(tmp_path / "run") for name in row)


def test_what_cannot_be_located_does_not_end_the_run(
    config: Config, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    steps = ",".join(f"step {n}" for n in range(41))
    (tmp_path / "tasks.txt").write_text(f"7\nt\nu\n41\n{steps}\n")
    (tmp_path / "truth").mkdir()
    for path in sorted((folder / "features").iterdir())[:2]:
        (tmp_path / "truth" / f"7_{path.stem}.csv").write_text("1,0,3\n2,4,9\n")
    changes = (
        f"data.tasks={tmp_path}/tasks.txt",
        f"data.annotations={tmp_path}/truth",
        "data.holding.validation_share=0.5",
    )
    job = make_job(config(*changes), tmp_path)
    with torch.no_grad():
        found = job.validate(job.objective())
    assert "loss" in found and "recall" not in found
    assert "41 steps do not fit into 40 seconds" in caplog.text


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        (("init_from=mini",), ConfigError, "mini is no VideoCLIP or TempCLR"),
        (("decoder=best",), ModelError, "best"),
        (("backbone=FOLDER",), ConfigError, "come from mini, not from own-backbone"),
        (("model.name=mini",), ConfigError, "is that of a model of the package"),
        (("loss.weight=1",), ConfigError, "weight must lie between 0 and below 1"),
    ],
)
def test_settings_that_cannot_be(
    changes: tuple[str, ...], kind: type[Exception], said: str, config: Config, tmp_path: Path
) -> None:
    backbone_folder(tmp_path / "backbone", "own-backbone")
    given = (change.replace("FOLDER", str(tmp_path / "backbone")) for change in changes)
    with pytest.raises(kind, match=said):
        make_job(config(*given), tmp_path / "run").objective()

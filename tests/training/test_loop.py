"""The loop: what it learns, records, validates, keeps and refuses."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.training.conftest import records
from tests.training.toy import ToyObjective
from vidalign.errors import ConfigError, DataError, OutputMismatchError
from vidalign.training.checkpoint import read_state
from vidalign.training.config import Configuration
from vidalign.training.distributed import Ranks
from vidalign.training.meter import LossMeter
from vidalign.training.train import choose_training_place, train
from vidalign.weights.tensors import load_tensors

Toy = Callable[..., Configuration]
CPU = torch.device("cpu")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_tensors(folder / "model" / "toy.safetensors")


def test_it_learns(toy_config: Toy, tmp_path: Path) -> None:
    config = toy_config("training.steps=80", "training.batch=16", "training.log_every=20", "width=16")
    trained = train(config, tmp_path)
    losses = [record["loss"] for record in records(tmp_path)]
    assert losses[-1] < losses[0] / 2
    assert (trained.model, trained.fresh, trained.progress.step) == (tmp_path / "model", True, 80)
    assert trained.progress.seconds > 0


def test_records_tell_step_epoch_rate_losses_and_speed(toy_config: Toy, tmp_path: Path) -> None:
    train(toy_config(), tmp_path)
    found = records(tmp_path)
    assert [record["step"] for record in found] == [5, 10, 15, 20]
    assert [record["epoch"] for record in found] == [2.0, 4.0, 6.0, 8.0]
    assert found[0]["learning_rate"] == 0.01
    assert set(found[0]) == {
        "step", "epoch", "learning_rate", "loss", "rare", "items_per_second", "waiting"
    }  # fmt: skip
    assert found[0]["items_per_second"] > 0


def test_a_loss_that_is_sometimes_no_number_is_averaged_over_the_rest() -> None:
    meter = LossMeter()
    for loss, rare in ((1.0, math.nan), (3.0, 4.0)):
        meter.add({"loss": torch.tensor(loss), "rare": torch.tensor(rare)})
    (pending,) = meter.state(Ranks(), CPU)
    again = LossMeter(pending)
    assert meter.take(Ranks(), CPU) == {"loss": 2.0, "rare": 4.0}
    assert again.take(Ranks(), CPU) == {"loss": 2.0, "rare": 4.0}
    assert again.state(Ranks(), CPU) == []


def test_the_same_seed_gives_the_same_weights_whatever_the_workers(toy_config: Toy, tmp_path: Path) -> None:
    train(toy_config(), tmp_path / "a")
    train(toy_config("training.workers=2", "training.log_every=3"), tmp_path / "b")
    train(toy_config("seed=6"), tmp_path / "c")
    one, two, other = (weights(tmp_path / name) for name in "abc")
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["online.0.weight"], other["online.0.weight"])


def test_accumulated_batches_are_one_large_batch(toy_config: Toy, tmp_path: Path) -> None:
    same = ("training.steps=4", "dropout=0")
    train(toy_config(*same, "training.batch=6"), tmp_path / "large")
    train(toy_config(*same, "training.batch=2", "training.accumulate=3"), tmp_path / "parts")
    large, parts = weights(tmp_path / "large"), weights(tmp_path / "parts")
    assert all(torch.allclose(large[name], parts[name], atol=1e-6) for name in large)


def test_epochs_become_steps(toy_config: Toy, tmp_path: Path) -> None:
    config = toy_config("training.steps=null", "training.epochs=1.5")
    assert train(config, tmp_path).progress.step == 4  # 15 items in batches of 4


def test_gradients_are_clipped_and_their_norm_recorded(toy_config: Toy, tmp_path: Path) -> None:
    train(toy_config("training.clip_grad=1e-6", "optimizer.weight_decay=0"), tmp_path)
    assert records(tmp_path)[0]["grad_norm"] > 1e-6


def test_progress_is_told_after_every_step(toy_config: Toy, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    train(toy_config("training.steps=6"), tmp_path, watch=lambda *line: told.append(line))
    assert [(done, steps) for done, steps, _ in told] == [(step, 6) for step in range(7)]
    assert told[4][2] == ""
    assert told[5][2].startswith("loss ")


def test_the_best_weights_are_kept_and_patience_ends(toy_config: Toy, tmp_path: Path) -> None:
    config = toy_config(
        "training.steps=60", "training.validate_every=5", "training.patience=2", "training.metric=score",
        "training.goal=higher", "metrics=[9, 0.1, 0.5, 0.4, 0.5, 0.9]",
    )  # fmt: skip
    progress = train(config, tmp_path).progress
    assert (progress.step, progress.best, progress.best_step, progress.finished) == (20, 0.5, 10, True)
    assert int(weights(tmp_path)["steps"]) == 10
    scores = [r["validation/score"] for r in records(tmp_path) if "validation/score" in r]
    assert scores == [9, 0.1, 0.5, 0.4, 0.5]


def test_the_last_weights_are_the_model_otherwise(toy_config: Toy, tmp_path: Path) -> None:
    train(toy_config("training.validate_every=5", "metrics=[1, 2, 0]"), tmp_path)
    assert int(weights(tmp_path)["steps"]) == 20
    assert not (tmp_path / "best.pt").exists()


def test_a_metric_that_is_not_there_is_told_before_training(toy_config: Toy, tmp_path: Path) -> None:
    config = toy_config("training.keep=best", "training.validate_every=5", "metrics=[1]")
    with pytest.raises(ConfigError, match="no metric 'loss' to choose the best by"):
        train(config, tmp_path)
    assert records(tmp_path) == []


def test_a_loss_that_is_no_number_stops_and_leaves_the_last_good_state(
    toy_config: Toy, tmp_path: Path
) -> None:
    config = toy_config("nan_at=12")
    with pytest.raises(
        DataError, match=r"loss is nan within the last 5 steps up to 15 .*state\.pt is of a good"
    ):
        train(config, tmp_path)
    state = read_state(tmp_path, config, 1)
    assert state is not None and state.progress.step == 10
    assert all(value.isfinite().all() for value in state.objective.values())
    assert not (tmp_path / "model").exists()


def test_weights_that_are_no_numbers_are_not_saved(toy_config: Toy, tmp_path: Path) -> None:
    config = toy_config("nan_at=7", "training.log_every=1000")
    with pytest.raises(DataError, match="loss is nan"):
        train(config, tmp_path)
    state = read_state(tmp_path, config, 1)
    assert state is not None and state.progress.step == 5


def test_another_configuration_is_refused_and_named(toy_config: Toy, tmp_path: Path) -> None:
    train(toy_config("training.steps=5"), tmp_path)
    with pytest.raises(OutputMismatchError, match=r"data\.items was 10, is 9") as caught:
        train(toy_config("training.steps=5", "data.items=9"), tmp_path)
    assert caught.value.exit_code == 2
    train(toy_config("training.steps=5", "data.items=9"), tmp_path, overwrite=True)
    assert [record["step"] for record in records(tmp_path)] == [5]


def test_another_number_of_processes_is_refused(toy_config: Toy, tmp_path: Path) -> None:
    config = toy_config("training.steps=5")
    train(config, tmp_path)
    with pytest.raises(OutputMismatchError, match="made by 1 processes, now there are 2"):
        read_state(tmp_path, config, 2)


def test_a_finished_run_is_not_trained_again(toy_config: Toy, tmp_path: Path) -> None:
    config = toy_config("training.steps=5")
    train(config, tmp_path)
    before = (tmp_path / "state.pt").stat().st_mtime_ns
    again = train(toy_config("training.steps=5", "training.workers=1"), tmp_path)
    assert (again.fresh, again.progress.step) == (False, 5)
    assert (tmp_path / "state.pt").stat().st_mtime_ns == before


def test_a_model_that_was_not_written_is_written_on_the_next_call(toy_config: Toy, tmp_path: Path) -> None:
    config = toy_config("training.steps=5")
    train(config, tmp_path)
    whole = weights(tmp_path)
    (tmp_path / "model" / "card.yaml").unlink()
    assert train(config, tmp_path).progress.step == 5
    assert all(torch.equal(whole[name], value) for name, value in weights(tmp_path).items())
    assert [record["step"] for record in records(tmp_path)] == [5]


def test_a_model_without_state_is_not_replaced(toy_config: Toy, tmp_path: Path) -> None:
    config = toy_config("training.steps=5")
    train(config, tmp_path)
    (tmp_path / "state.pt").unlink()
    with pytest.raises(OutputMismatchError, match=r"model is there, but no state\.pt"):
        train(config, tmp_path)
    train(config, tmp_path, overwrite=True)


def test_nothing_to_train_on(toy_config: Toy, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to train on"):
        train(toy_config("data.items=0"), tmp_path)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_for_gpus(precision: str) -> None:
    with pytest.raises(ConfigError, match=f"precision {precision} needs a GPU"):
        choose_training_place("cpu", precision, Ranks())
    assert choose_training_place("cpu", "auto", Ranks()).precision == "float32"


def test_the_objective_is_the_module_that_is_saved(toy_config: Toy, tmp_path: Path) -> None:
    config = toy_config("training.steps=5")
    train(config, tmp_path)
    state = read_state(tmp_path, config, 1)
    assert state is not None
    assert set(state.objective) == set(ToyObjective(config.settings).state_dict())

"""A configuration is read whole, or refused with the line that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from vidalign.errors import ConfigError
from vidalign.training.config import Configuration, LoopOptions, read_config
from vidalign.training.documents import Document, read_document
from vidalign.training.jobs import TASKS, job_class
from vidalign.training.typed import build, differences, to_plain

Toy = Callable[..., Configuration]


def test_defaults_and_given_values(toy_config: Toy) -> None:
    config = toy_config()
    assert config.common.seed == 5
    assert config.common.training == LoopOptions(
        steps=20, batch=4, workers=0, log_every=5, checkpoint_every=5
    )
    assert config.common.optimizer.learning_rate == 0.01
    assert config.common.optimizer.weight_decay == 1e-5
    assert config.settings.data.items == 10
    assert config.settings.metrics == ()


def test_every_value_is_shown_and_can_be_trained_from(toy_config: Toy, tmp_path: Path) -> None:
    config = toy_config("metrics=[1, 2.5]", "training.threads=2")
    (tmp_path / "again.yaml").write_text(config.to_yaml())
    assert read_config(tmp_path / "again.yaml") == config
    shown = yaml.safe_load(config.to_yaml())
    assert shown["training"]["threads"] == 2
    assert shown["training"]["epochs"] is None
    assert shown["metrics"] == [1.0, 2.5]


def test_changes_reach_sections_that_the_file_does_not_have(toy_file: Path) -> None:
    config = read_config(toy_file, ["optimizer.betas=[0.8, 0.9]", "training.steps=null", "training.epochs=2"])
    assert config.common.optimizer.betas == (0.8, 0.9)
    assert (config.common.training.steps, config.common.training.epochs) == (None, 2.0)


WRONG = {
    "task: toy\ntraining:\n  steps: 3\n  alike: 15\n": ":4: alike is 15, fewer than the 16 of a batch",
    "task: toy\ntraining: {steps: 3}\nsede: 1\n": ":3: unknown key 'sede' (did you mean 'seed'?)",
    "task: toy\ntraining:\n  stepz: 3\n": ":3: unknown key 'stepz' in training (did you mean 'steps'?)",
    "task: toy\ntraining:\n  steps: many\n": ":3: training.steps must be a whole number, not 'many'",
    "task: toy\ntraining:\n  steps: 3\n  batch: true\n": ":4: training.batch must be a whole number",
    "task: toy\ntraining:\n  steps: 3\n  batch: 0\n": ":4: batch must be above 0, not 0",
    "task: toy\ntraining:\n  steps: 3\n  precision: fp8\n": ":4: precision is 'fp8'; one of auto, float32",
    "task: toy\ntraining:\n  steps: 3\n  epochs: 1\n": ":2: give steps or epochs",
    "task: toy\n": ": give steps or epochs",
    "task: toy\ntraining: 3\n": ":2: 'key: value' lines are expected, not 3",
    "task: tuy\ntraining: {steps: 3}\n": ":1: unknown task 'tuy' (did you mean 'toy'?)",
    "task: zzz\ntraining: {steps: 3}\n": ":1: unknown task 'zzz' (one of ",
    "training: {steps: 3}\n": ": the key 'task' is missing",
    "task: toy\ntraining: {steps: 3}\ndata:\n  items: -1\n": ":4: items must not be below 0, not -1",
    "task: toy\ntraining: {steps: 3}\nseed: -1\n": ":3: seed must not be below 0",
    "task: toy\ntraining: {steps: 3}\noptimizer:\n  betas: [0.9]\n": ":4: betas must be two numbers",
    "task: toy\ntraining: {steps: 3}\nmetrics: 3\n": ":3: metrics must be a list, not 3",
    "task: toy\ntraining: {steps: 3}\nmetrics: [a]\n": ":3: metrics must be a number, not 'a'",
    "task: toy\nseed: 1\nseed: 2\n": ":3: seed is given twice",
    "task: toy\ntraining: {steps: 3\n": "not valid YAML",
    "- task: toy\n": ": 'key: value' lines are expected",
    "task: toy\ntraining: {steps: 3, patience: 2}\n": ":2: patience needs validate_every above 0",
    "task: toy\n[1, 2]: 3\n": ":2: a key is a plain word",
}


@pytest.mark.parametrize(("text", "message"), WRONG.items())
def test_what_is_wrong_is_told_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.steps=x", "--set training.steps: training.steps must be a whole number"),
        ("data.itms=3", "--set data.itms: unknown key 'itms' in data (did you mean 'items'?)"),
        ("training.steps", "--set training.steps: KEY=VALUE is expected"),
        ("seed=[", "--set seed: not valid YAML"),
        (".=3", "--set .=3: KEY=VALUE is expected"),
    ],
)
def test_wrong_changes_name_themselves(change: str, message: str, toy_file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(toy_file, [change])
    assert str(caught.value).startswith(message)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*gone\.yaml"):
        read_document(tmp_path / "gone.yaml")


@dataclass(frozen=True)
class Inner:
    path: Path
    choice: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Outer:
    inner: Inner | None = None
    either: str | int | None = None
    table: dict[str, float] = field(default_factory=dict)
    rate: float = 1.0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Outer()),
        ({"inner": {"path": "x", "choice": "b"}}, Outer(Inner(Path("x"), "b"))),
        ({"either": 3}, Outer(either=3)),
        ({"either": "3"}, Outer(either="3")),
        ({"table": {"x": 1}, "rate": 2}, Outer(table={"x": 1.0}, rate=2.0)),
    ],
)
def test_annotations_decide_what_a_value_becomes(values: dict[str, Any], expected: Outer) -> None:
    made = build(Outer, values, Document(values, "a.yaml"))
    assert made == expected
    assert build(Outer, to_plain(made), Document({}, "a.yaml")) == expected


@pytest.mark.parametrize(
    "values", [{"inner": {}}, {"inner": {"path": 3}}, {"inner": {"path": "x", "choice": 1}}]
)
def test_values_that_do_not_fit_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        build(Outer, values, Document(values, "a.yaml"))


def test_differences_name_the_keys() -> None:
    mine, theirs = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1, "c": 4}, "e": 5}
    assert differences(mine, theirs) == [(("a", "c"), 2, 4), (("d",), 3, None), (("e",), None, 5)]


@pytest.mark.parametrize("task", ["backbone", "tan"])
def test_every_task_has_a_job(task: str) -> None:
    assert task in TASKS
    assert job_class(task).Settings is not None

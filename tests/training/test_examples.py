"""The configurations of examples/training are what the program understands."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vidalign.synthetic.settings import make_settings, read_knobs
from vidalign.training.config import read_config
from vidalign.weights.recipes import get_recipe

FOLDER = Path(__file__).parents[2] / "examples" / "training"
TASKS = sorted(path.name for path in FOLDER.glob("*.yaml") if "task" in yaml.safe_load(path.read_text()))


def test_every_file_is_known() -> None:
    others = sorted({path.name for path in FOLDER.glob("*.yaml")} - set(TASKS))
    assert others == ["pictures.yaml", "recipe.yaml", "world.yaml"]
    assert {"backbone.yaml", "finetune.yaml", "tan.yaml"} <= set(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_configurations_are_understood(name: str, tmp_path: Path) -> None:
    found = read_config(FOLDER / name)
    again = tmp_path / "again.yaml"
    again.write_text(found.to_yaml())
    assert read_config(again) == found


def test_the_worlds_and_the_recipe_are_understood() -> None:
    small, world = (make_settings(read_knobs(FOLDER / f"{name}.yaml")) for name in ("pictures", "world"))
    assert (small.width, small.height, world.seconds) == (96, 72, 120)
    assert world.in_place_share < small.in_place_share
    assert get_recipe(FOLDER / "recipe.yaml").name == "tiny-4fps"

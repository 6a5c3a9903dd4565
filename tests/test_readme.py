"""What the README and the examples tell people to type is what the program understands."""

from __future__ import annotations

import re
import runpy
import shlex
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import click
import pytest
import yaml

from vidalign.cli.main import cli
from vidalign.recipe import Recipe
from vidalign.weights.cards import card_names
from vidalign.weights.recipes import recipe_names

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
ENCODERS = (ROOT / "docs" / "encoders.md").read_text("utf-8")
PAGES = [path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md"))]


def shell_lines(text: str = README) -> list[str]:
    """The lines of all shell blocks, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    return [line.split("  #")[0].strip() for block in blocks for line in unfolded(block) if line.strip()]


def unfolded(block: str) -> list[str]:
    """Its lines, those that a backslash breaks in one piece."""
    return block.replace("\\\n", " ").splitlines()


def vidalign_commands() -> list[str]:
    lines = [line for text in (README, *PAGES) for line in shell_lines(text)]
    parts = [part.strip() for line in lines for part in re.split(r"&&|\|", line)]
    return [part for part in parts if part.startswith("vidalign ")]


@pytest.mark.parametrize("line", vidalign_commands())
def test_every_command_parses(line: str) -> None:
    arguments = shlex.split(line)[1:]
    command: click.Command = cli
    context = click.Context(cli, info_name="vidalign")
    while isinstance(command, click.Group):
        name = arguments.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"{line}: no command {name}"
        command = found
    command.make_context(line, arguments, resilient_parsing=True)


def test_the_two_commands_are_those_that_ci_runs() -> None:
    first, second = shell_lines()[:2]
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "pip install -c constraints.txt -e '.[dev]'" in first
    assert first.endswith("&& vidalign align examples/howto.mp4 examples/howto.vtt")
    assert "-c constraints.txt -e '.[dev]'" in ci
    assert "vidalign align examples/howto.mp4 examples/howto.vtt" in ci
    assert second == "pytest" and "\nstep pytest" in ci


@pytest.mark.parametrize("script", ["training/walk.sh"])
def test_the_first_training_is_the_script_that_is_tested(script: str) -> None:
    lines = (ROOT / "examples" / script).read_text("utf-8").splitlines()
    assert not {line for line in lines if line.startswith("vidalign ")} - set(shell_lines())


def test_models_and_recipes_are_named_as_they_are() -> None:
    for name in card_names():
        assert f"`{name.partition('@')[0]}`" in README, name
        assert f"`{name.partition('@')[0]}`" in ENCODERS, name
        assert not (checkpoint := name.partition("@")[2]) or f"`{checkpoint}`" in ENCODERS, name
    for name in recipe_names():
        assert f"`{name}`" in ENCODERS, name


def test_the_recipe_that_is_shown_is_one_and_every_key_is_told() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", ENCODERS, flags=re.DOTALL)
    shown = Recipe.from_mapping({"name": "slow", **yaml.safe_load(block)})
    assert shown.clip_seconds == Fraction(16, 15) and shown.stride_seconds == Fraction(1, 15)
    assert not {f.name for f in fields(Recipe)} - set(re.findall(r"`(\w+)`", ENCODERS))


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples" / "first_steps.py"), run_name="__main__")
    out = capsys.readouterr().out
    assert "170 clips of 256 numbers" in out
    assert out.count(" s  ") >= 15 and out.count("not to be seen") >= 20
